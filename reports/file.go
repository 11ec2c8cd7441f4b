package reports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// maxTempFiles bounds the search for a free temporary name. Stale ones are removed
// before it, so that only as many can be in the way as this process writes at once.
const maxTempFiles = 1000

// disk is what puts files in their places. It is a variable for tests alone, which
// kill the process at each of these calls.
var disk = struct {
	rename func(from, to string) error
	remove func(path string) error
}{os.Rename, os.Remove}

// WriteFile replaces the file at path with what write produces, atomically:
// the bytes go to a temporary file in the same directory, are flushed to disk,
// and are renamed over path only when all of it went well. On an error, or when
// write panics, the temporary file is removed and the previous file is intact.
//
// A symbolic link stays one: what it points to is replaced. What is no file, such as
// /dev/stdout or a pipe, is written to as it is.
func WriteFile(path string, write func(io.Writer) error) error {
	to, through, err := destination(path)
	if err != nil {
		return err
	}
	if through {
		return writeThrough(to, write)
	}
	removeStale(filepath.Dir(to))
	temp, err := writeTemp(to, write)
	if err != nil {
		return err
	}
	if err := disk.rename(temp, to); err != nil {
		_ = os.Remove(temp) // the first error is the one that matters
		return fmt.Errorf("write %s: %w", path, err)
	}
	syncDir(filepath.Dir(to))
	return nil
}

// CreateFile is WriteFile for a file that must not be there yet: else the error wraps
// fs.ErrExist, and the file is as it was, whoever wrote it and when.
func CreateFile(path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("write %s: %w", path, fs.ErrExist)
	}
	removeStale(filepath.Dir(path))
	temp, err := writeTemp(path, write)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	// Unlike a renamed file, a link does not replace what came meanwhile.
	if err := os.Link(temp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	syncDir(filepath.Dir(path))
	return nil
}

// destination is the file that a path leads to, and whether it is no file at all, but
// something to write through.
func destination(path string) (to string, through bool, err error) {
	if dir, base := filepath.Split(path); base == "" {
		return "", false, fmt.Errorf("write %q: the path names a directory, not a file", dir)
	}
	info, err := os.Stat(path)
	if err != nil {
		return path, false, nil // nothing is there, or what is wrong shows when it is written
	}
	if info.IsDir() {
		return "", false, fmt.Errorf("write %s: a directory is there", path)
	}
	if !info.Mode().IsRegular() {
		return path, true, nil
	}
	if to, err = filepath.EvalSymlinks(path); err != nil {
		return "", false, fmt.Errorf("write %s: %w", path, err)
	}
	return to, false, nil
}

// writeThrough writes to something that is no file.
func writeThrough(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	b := bufio.NewWriterSize(f, 1<<16)
	if err := errors.Join(write(b), b.Flush(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// writeTemp writes a temporary file beside path, flushes it to disk and returns its name.
// On an error, or when write panics, there is none.
func writeTemp(path string, write func(io.Writer) error) (name string, err error) {
	f, err := createTemp(path)
	if err != nil {
		return "", err
	}
	done := false
	defer func() {
		if !done {
			// The first error is the one that matters.
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	b := bufio.NewWriterSize(f, 1<<16)
	for _, step := range []func() error{func() error { return write(b) }, b.Flush, f.Sync, f.Close} {
		if err := step(); err != nil {
			return "", fmt.Errorf("write %s: %w", path, err)
		}
	}
	done = true
	return f.Name(), nil
}

// createTemp opens a new hidden file beside path, with a name by which it is known to be
// temporary, and of which process. It is not os.CreateTemp, which makes files that only
// their owner can read: results are for sharing, so the mode follows the umask.
func createTemp(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	for i := range maxTempFiles {
		name := filepath.Join(dir, fmt.Sprintf(".%s.stowage-%d-%d.tmp", base, os.Getpid(), i))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
		return f, nil
	}
	return nil, fmt.Errorf("write %s: %d temporary files (.%s.*.tmp) lie in %s: remove them", path, maxTempFiles, base, dir)
}

// tempName is that of a temporary file; its number is the process that wrote it.
var tempName = regexp.MustCompile(`^\..+\.stowage-([0-9]+)-[0-9]+\.tmp$`)

// began is when this process did, or a little later: temporary files that are older and
// have its number are those of an earlier process with the same one.
var began = time.Now()

// removeStale removes temporary files that killed processes left in a folder. It is a
// matter of tidiness: that it fails is no reason not to write.
func removeStale(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if m := tempName.FindStringSubmatch(e.Name()); m != nil && isStale(e, m[1]) {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// isStale reports whether the process that wrote a temporary file is gone.
func isStale(e fs.DirEntry, process string) bool {
	pid, err := strconv.Atoi(process)
	if err != nil {
		return false
	}
	if pid == os.Getpid() {
		info, err := e.Info()
		return err == nil && info.ModTime().Before(began)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return true // on Windows; elsewhere there is no error
	}
	defer p.Release()
	err = p.Signal(syscall.Signal(0))
	return errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH)
}

// syncDir makes renames durable. Not every system can sync a directory, and a
// rename that is lost leaves the previous file, which is a correct one: so an
// error is no reason to report failure.
func syncDir(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	_ = d.Sync()
	_ = d.Close()
}

// removeAny removes files, where they are there.
func removeAny(paths ...string) error {
	for _, path := range paths {
		if err := disk.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
