package reports

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// fileSet replaces files of a folder together. What add writes are temporary files;
// commit renames them to their places, one right after the other, and the one that was
// added first comes last. So whenever a process is killed, every file is whole, the old
// one or the new one; and if the first file is the new one, all are. Where some are new and
// the first one is old, its temporary file still lies beside it (.NAME.stowage-….tmp),
// until something is next written to the folder.
type fileSet struct {
	dir    string
	staged []stagedFile
	stale  []string // names of files that go when the others come
}

// stagedFile is a temporary file, where it is to go, and how that is called.
type stagedFile struct{ temp, to, path string }

// newFileSet makes a set for a folder, which it creates when absent.
func newFileSet(dir string) (*fileSet, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	removeStale(dir)
	return &fileSet{dir: dir}, nil
}

// add writes a file that is to be name.
func (s *fileSet) add(name string, write func(io.Writer) error) error {
	path := filepath.Join(s.dir, name)
	to, through, err := destination(path)
	if err != nil {
		return err
	}
	if through {
		return fmt.Errorf("write %s: something that is no file is there", path)
	}
	temp, err := writeTemp(to, write)
	if err != nil {
		return err
	}
	s.staged = append(s.staged, stagedFile{temp, to, path})
	return nil
}

// addPicture adds NAME.svg and NAME.png.
func (s *fileSet) addPicture(name string, p picture) error {
	for _, format := range plotFormats {
		if err := s.add(name+"."+format.extension, func(w io.Writer) error { return format.render(w, p) }); err != nil {
			return err
		}
	}
	return nil
}

// drop has files removed, which need not be there, when the others take their places.
func (s *fileSet) drop(names ...string) {
	for _, name := range names {
		s.stale = append(s.stale, filepath.Join(s.dir, name))
	}
}

// dropPicture drops NAME.svg and NAME.png.
func (s *fileSet) dropPicture(name string) {
	for _, format := range plotFormats {
		s.drop(name + "." + format.extension)
	}
}

// commit puts all files in their places and returns their paths as they were added.
func (s *fileSet) commit() (paths []string, err error) {
	defer s.discard()
	for i, f := range slices.Backward(s.staged) {
		if i == 0 {
			if err := removeAny(s.stale...); err != nil {
				return nil, err
			}
			syncDir(s.dir) // if the machine stops now, the first file is not new before the others
		}
		if err := disk.rename(f.temp, f.to); err != nil {
			return nil, fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	syncDir(s.dir)
	for _, f := range s.staged {
		paths = append(paths, f.path)
	}
	s.staged = nil
	return paths, nil
}

// discard removes what was written and is not in its place. After commit it does nothing.
func (s *fileSet) discard() {
	for _, f := range s.staged {
		_ = os.Remove(f.temp) // those renamed are not there any more
	}
	s.staged = nil
}
