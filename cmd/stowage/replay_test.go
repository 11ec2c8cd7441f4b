package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/reports"
	"stowage/sim/slots"
)

// stopAfter is a context that is cancelled when it has been asked so many times.
type stopAfter struct {
	context.Context
	asked atomic.Int64
	most  int64
}

func (s *stopAfter) Err() error {
	if s.asked.Add(1) > s.most {
		return context.Canceled
	}
	return nil
}

// writeTrace writes a trace of n lookups of a thousand keys.
func writeTrace(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	state := uint64(1)
	for range n {
		state = state*6364136223846793005 + 1442695040888963407
		fmt.Fprintln(&b, state>>40%1000*(state>>20%1000)/1000)
	}
	path := filepath.Join(t.TempDir(), "t.txt")
	writeFile(t, path, b.String())
	return path
}

// TestReplayInterrupt stops a replay between two batches: what was counted until then is
// printed, and is what a replay of so many lookups counts; a policy that waits for the end has
// counted nothing; no file is written.
func TestReplayInterrupt(t *testing.T) {
	path := writeTrace(t, 4*batchKeys)
	dir := filepath.Join(t.TempDir(), "out")
	for _, stop := range []int64{2, 3, 4} {
		var out, errs bytes.Buffer
		ctx := &stopAfter{Context: context.Background(), most: stop}
		code := run(ctx, []string{"replay", "--policy", "lru,min", "--slots", "50", "--format", "json", "-o", dir, path, path}, &out, &errs)
		var rows []reports.ReplayRow
		if err := json.Unmarshal(out.Bytes(), &rows); err != nil {
			t.Fatalf("%v: %s", err, &out)
		}
		want := (stop - 1) * batchKeys // the first question is whether to begin
		if code != exitFailed || len(rows) != 1 || rows[0].Policy != "lru" || rows[0].Lookups != want {
			t.Errorf("exit code %d, rows %v, want lru with %d lookups", code, rows, want)
		}
		for _, part := range []string{
			fmt.Sprintf("interrupted after %d lookups; what is printed is of these, but of min, which had to wait", want),
			"nothing of it is written to " + dir, "interrupted: 1 of 2 traces were not replayed",
		} {
			if !strings.Contains(errs.String(), part) {
				t.Errorf("standard error does not say %q:\n%s", part, &errs)
			}
		}
		_, whole, _ := command("replay", "--slots", "50", "--format", "json", "--max-lookups", fmt.Sprint(want), path)
		var cut []reports.ReplayRow
		if err := json.Unmarshal([]byte(whole), &cut); err != nil || cut[0].Misses != rows[0].Misses {
			t.Errorf("%v: interrupted: %d misses, want %v", err, rows[0].Misses, cut)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("something was written")
		}
	}
	// In the first read nothing is replayed yet.
	var out, errs bytes.Buffer
	code := run(&stopAfter{Context: context.Background(), most: 3}, []string{"replay", "--slots", "5%", path}, &out, &errs)
	if want := fmt.Sprintf("interrupted after %d lookups of the first read; nothing was replayed", 2*batchKeys); code != exitFailed || out.Len() > 0 || !strings.Contains(errs.String(), want) {
		t.Errorf("exit code %d, %s, %s", code, &out, &errs)
	}
}

// TestReplaySameFigures: however many processors there are and whatever is asked for
// beside it, a table counts the same, and the curve agrees with every table of LRU.
func TestReplaySameFigures(t *testing.T) {
	path := writeTrace(t, 3*batchKeys+17)
	rows := func(args ...string) map[string]int64 {
		t.Helper()
		code, out, errs := command(append(append([]string{"replay", "--format", "json"}, args...), path)...)
		var rows []reports.ReplayRow
		if err := json.Unmarshal([]byte(out), &rows); err != nil || code != exitFine {
			t.Fatalf("%v: exit code %d: %s", err, code, errs)
		}
		misses := map[string]int64{}
		for _, r := range rows {
			if r.Hits+r.Misses != r.Lookups {
				t.Errorf("%+v: hits and misses are not all lookups", r)
			}
			misses[fmt.Sprint(r.Policy, r.Slots, r.Source)] = r.Misses
		}
		return misses
	}
	all := rows("--policy", "all", "--slots", "1,7,100,10%", "--mrc", "--warmup", "1000")
	runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(runtime.NumCPU())
	for _, p := range slots.Policies() {
		for key, misses := range rows("--policy", p.Name, "--slots", "7", "--warmup", "1000") {
			if all[key] != misses {
				t.Errorf("%s: %d misses alone, %d among others", key, misses, all[key])
			}
		}
	}
	for _, n := range []int{1, 7, 100} {
		if table, curve := all[fmt.Sprint("lru", n, "table")], all[fmt.Sprint("lru", n, "exact")]; table != curve || table == 0 {
			t.Errorf("lru, %d slots: %d misses in the table, %d by the curve", n, table, curve)
		}
	}
}

// TestPointsOf: sizes rise, are at most the last, hold 1, 2 and 5 times powers of ten, and
// are few.
func TestPointsOf(t *testing.T) {
	for _, most := range []int{1, 5, 100, 101, 12345, 1 << 28} {
		points := pointsOf(most, func(n int) int64 { return int64(n) })
		seen := map[int]bool{}
		for i, p := range points {
			if i > 0 && p.Slots <= points[i-1].Slots || p.Slots > most || p.Hits != int64(p.Slots) {
				t.Fatalf("%d: point %d is %v", most, i, p)
			}
			seen[p.Slots] = true
		}
		if !seen[most] || len(points) > 900 {
			t.Errorf("%d: %d points, the last %v", most, len(points), points[len(points)-1])
		}
		for decade := 1; decade <= most; decade *= 10 {
			for _, m := range []int{1, 2, 5} {
				if m*decade <= most && !seen[m*decade] {
					t.Errorf("%d: no point at %d", most, m*decade)
				}
			}
		}
	}
}

// TestProgress: a line now and then, and it goes away; elsewhere than on a terminal there is
// none.
func TestProgress(t *testing.T) {
	file, err := os.Open(writeTrace(t, 1000))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	now := time.Unix(0, 0)
	var b bytes.Buffer
	p := newProgress(&b, func() time.Time { return now })
	if p.w != nil {
		t.Fatal("a buffer is taken for a terminal")
	}
	p.begin("x/t.txt", "counting", file, 0)
	now = now.Add(time.Second)
	p.show(10)
	p.clear()
	if b.Len() > 0 {
		t.Errorf("shown on no terminal: %q", &b)
	}
	p.w = &b
	p.begin("x/t.txt", "replaying", file, 4_000_000)
	now = now.Add(100 * time.Millisecond)
	p.show(500_000) // too soon
	now = now.Add(400 * time.Millisecond)
	p.show(1_000_000)
	p.show(1_000_001)
	if want := "\rt.txt: replaying 1.0 M lookups (25 %), 2.0 M lookups/s"; b.String() != want {
		t.Errorf("got %q, want %q", &b, want)
	}
	now = now.Add(time.Second)
	b.Reset()
	p.foretold(0, 1)
	if line := b.String(); !strings.HasPrefix(line, "\rt.txt: replaying what had to know the future: 0.0 M of 0.0 M lookups") {
		t.Errorf("got %q", line)
	}
	p.what = strings.Repeat("x", 100)
	b.Reset()
	now = now.Add(time.Second)
	p.show(2)
	if n := len([]rune(b.String())); n != longestLine+1 {
		t.Errorf("a long line is %d characters", n)
	}
	b.Reset()
	p.clear()
	if line := b.String(); strings.Trim(line, " \r") != "" || !strings.HasSuffix(line, "\r") {
		t.Errorf("cleared by %q", line)
	}
}

// lruTwin is LRU as one would write it down: hits of a trace with so many slots, the first
// warmup lookups not counted.
func lruTwin(keys []uint64, slots, warmup int) (hits int64) {
	var order []uint64 // newest last
	for i, k := range keys {
		if at := slices.Index(order, k); at >= 0 {
			order = slices.Delete(order, at, at+1)
			if i >= warmup {
				hits++
			}
		} else if len(order) == slots {
			order = order[1:]
		}
		order = append(order, k)
	}
	return hits
}

// TestReplayAny: any trace, in any format, with any of what can be asked for, gives the
// figures of the twin, in the table and by the curve, on the terminal and in files.
func TestReplayAny(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Uint64Range(0, 12), 1, 60).Draw(t, "keys")
		if rapid.Bool().Draw(t, "large keys") {
			for i := range keys {
				keys[i] *= 0x9e3779b97f4a7c15
			}
		}
		var text strings.Builder
		for _, k := range keys {
			fmt.Fprintln(&text, k)
		}
		path := filepath.Join(dir, "t.txt")
		if err := os.WriteFile(path, []byte(text.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		warmup := rapid.IntRange(0, len(keys)-1).Draw(t, "warm-up")
		args := []string{"replay", "--print", "json", "--warmup", fmt.Sprint(warmup)}
		slots := rapid.IntRange(1, 15).Draw(t, "slots")
		for _, part := range [][]string{
			{"--mrc"}, {"--policy", "lru"}, {"--slots", fmt.Sprintf("%d,100%%", slots)}, {"-o", filepath.Join(dir, "out")}, {"--row", "4GiB"},
			{"--offload-stats", filepath.Join(dir, "s.json"), "--batch", "1"},
		} {
			// Plots take their time.
			if part[0] == "-o" && rapid.IntRange(0, 19).Draw(t, part[0]) > 0 || !rapid.Bool().Draw(t, part[0]) {
				continue
			}
			args = append(args, part...)
		}
		code, out, errs := command(append(args, path)...)
		if code != exitFine {
			t.Fatalf("%q: exit code %d: %s", args, code, errs)
		}
		var rows []reports.ReplayRow
		if err := json.Unmarshal([]byte(out), &rows); err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if want := lruTwin(keys, r.Slots, warmup); r.Hits != want || r.Lookups != int64(len(keys)-warmup) || r.Rate <= 0 {
				t.Fatalf("%q: %+v, want %d hits", args, r, want)
			}
		}
	})
}

// TestAmounts: what a flag prints, it reads.
func TestAmounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list slotList
		if list.Set(rapid.StringMatching(`[0-9. %,]{1,12}`).Draw(t, "text")) != nil {
			return
		}
		var again slotList
		if err := again.Set(list.String()); err != nil || again.String() != list.String() {
			t.Fatalf("%s: %v, %v", list.String(), again.String(), err)
		}
		for _, n := range list.resolve(1000) {
			if n < 1 {
				t.Fatalf("%s: %d slots", list.String(), n)
			}
		}
	})
	for text, want := range map[string]int64{"1000": 1000, "1%": 10, "0.05%": 1, "0.15 %": 2, "100%": 1000} {
		var list slotList
		if err := list.Set(text); err != nil || int64(list.resolve(1000)[0]) != want {
			t.Errorf("%s: %v, %v, want %d", text, list, err, want)
		}
	}
}

// TestReplayChanged: a trace that changes between two reads is not replayed as if it had
// not.
func TestReplayChanged(t *testing.T) {
	for after, want := range map[string]string{
		"1\n2\n":       "changed while it was read: 3 lookups, then 2",
		"1\n2\n7\n":    "changed while it was read: there are keys that were not there",
		"1\n2\n1\n9\n": "", // what was added since is left for the next time
	} {
		path := filepath.Join(t.TempDir(), "t.txt")
		writeFile(t, path, "1\n2\n1\n")
		f := &replayFlags{policy: nameList{names: []string{"lru"}}, slots: slotList{{share: 1}}, maxLookups: 10, maxLine: 10, maxKept: 100, maxHeld: 10}
		f.maxBytes.Bytes = 100
		f.mrc.value = reports.ExactCurve
		r := &traceReplay{flags: f, path: path, bar: newProgress(nil, time.Now), note: func(string, ...any) {}}
		if err := r.count(context.Background()); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, after)
		result := &reports.Replay{}
		p, err := r.prepare(result)
		if err != nil {
			t.Fatal(err)
		}
		err = r.replay(context.Background(), p, result)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", after, err, want)
		}
	}
}
