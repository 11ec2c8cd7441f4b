package reports

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a headless Chromium that is spoken to over a pipe, by the DevTools protocol.
type browser struct {
	t       *testing.T
	w       io.Writer
	session string
	next    int

	mu      sync.Mutex
	replies map[int]chan reply
	said    []string // to the console, and uncaught errors
	loaded  chan struct{}
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// browsers are names of Chromium on PATH.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "chrome"}

// openBrowser starts a browser, or skips the test where there is none.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range browsers {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skipf("none of %q is on PATH: pages are not looked at", browsers)
	}
	theirsIn, oursOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	oursIn, theirsOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-extensions", "--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{theirsIn, theirsOut} // 3 and 4: the protocol's pipes
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirsIn.Close()
	theirsOut.Close()
	b := &browser{t: t, w: oursOut, replies: map[int]chan reply{}, loaded: make(chan struct{}, 16)}
	go b.listen(oursIn)
	t.Cleanup(func() {
		b.session = ""
		b.call("Browser.close", nil, nil)
		oursOut.Close()
		_ = cmd.Wait() // it was told to go: how it went does not matter
		oursIn.Close()
		if t.Failed() {
			lines := strings.Split(log.String(), "\n")
			lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "dbus/") })
			t.Logf("the browser said:\n%s", strings.Join(lines, "\n"))
		}
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// listen takes messages, which end with a zero byte.
func (b *browser) listen(r io.Reader) {
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		data, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			reply
		}
		if json.Unmarshal(data[:len(data)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		switch m.Method {
		case "":
			if c := b.replies[m.ID]; c != nil {
				c <- m.reply
			}
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening":
			b.said = append(b.said, m.Method+" "+string(m.Params))
		case "Page.loadEventFired":
			b.loaded <- struct{}{}
		}
		b.mu.Unlock()
	}
}

// call asks the browser for something and waits for the answer.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.next++
	m := map[string]any{"id": b.next, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	data, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	answer := make(chan reply, 1)
	b.mu.Lock()
	b.replies[b.next] = answer
	b.mu.Unlock()
	if _, err := b.w.Write(append(data, 0)); err != nil {
		b.t.Fatal(err)
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			b.t.Fatalf("%s: %s", method, r.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(r.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
	case <-time.After(60 * time.Second):
		b.t.Fatalf("%s: no answer in a minute", method)
	}
}

// show opens a page in a window of some width, light or dark.
func (b *browser) show(path string, width, height int, scheme string) {
	b.t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.call("Page.navigate", map[string]any{"url": "file://" + abs}, nil)
	select {
	case <-b.loaded:
	case <-time.After(60 * time.Second):
		b.t.Fatal("the page does not load")
	}
}

// value is what an expression is on the page.
func (b *browser) value(expression string, v any) {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Text string }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails.Text)
	}
	if err := json.Unmarshal(r.Result.Value, v); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// press sends a key to what has the focus.
func (b *browser) press(key string) {
	b.t.Helper()
	code := map[string]int{"Tab": 9, "ArrowRight": 39, "End": 35, "Enter": 13}[key]
	for _, kind := range []string{"rawKeyDown", "keyUp"} {
		b.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
	}
}

// complaints are what the pages said to the console since the last time.
func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := b.said
	b.said = nil
	return said
}

// picture takes a picture of the whole page.
func (b *browser) picture(path string, width int) {
	b.t.Helper()
	var height float64
	b.value("document.documentElement.scrollHeight", &height)
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		b.t.Fatal(fmt.Errorf("picture: %w", err))
	}
}
