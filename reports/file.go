package reports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxTempFiles bounds the search for a free temporary name. Temporary files
// pile up only when a process is killed while it writes.
const maxTempFiles = 1000

// WriteFile replaces the file at path with what write produces, atomically:
// the bytes go to a temporary file in the same directory, are flushed to disk,
// and are renamed over path only when all of it went well. On an error, or when
// write panics, the temporary file is removed and the previous file is intact.
func WriteFile(path string, write func(io.Writer) error) error {
	return writeFile(path, write, os.Rename)
}

// CreateFile is WriteFile for a file that must not be there yet: else the error wraps
// fs.ErrExist, and the file is as it was, whoever wrote it and when.
func CreateFile(path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("write %s: %w", path, fs.ErrExist)
	}
	return writeFile(path, write, func(from, to string) error {
		// Unlike a renamed file, a link does not replace what came meanwhile.
		if err := os.Link(from, to); err != nil {
			return err
		}
		return os.Remove(from)
	})
}

// writeFile writes a temporary file and puts it in its place.
func writeFile(path string, write func(io.Writer) error, place func(from, to string) error) (err error) {
	f, err := createTemp(path)
	if err != nil {
		return err
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
	if err := write(b); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := place(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	done = true
	syncDir(filepath.Dir(path))
	return nil
}

// createTemp opens a new hidden file beside path. It is not os.CreateTemp,
// which makes files that only their owner can read: results are for sharing,
// so the mode follows the umask.
func createTemp(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	if base == "" {
		return nil, fmt.Errorf("write %q: the path names a directory, not a file", path)
	}
	for i := range maxTempFiles {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d.tmp", base, i))
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

// syncDir makes a rename durable. Not every system can sync a directory, and a
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
