package scenarios

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"stowage/hw/spec"
)

// aside are the keys of a scenario that say nothing about the experiment itself: how it
// is called, which seed it begins with, and what is expected of it.
var aside = []string{"name", "title", "description", "seed", "expect"}

// fingerprintDigits is how many hexadecimal digits of the hash are kept: 64 bits.
const fingerprintDigits = 16

// identity is what a scenario's fingerprint is made of.
type identity struct {
	text  string   // the file's keys and values in the order of the alphabet
	files []string // that it refers to
}

// identify reads the identity of a scenario file that has been decoded before.
func identify(name string, data []byte) (identity, error) {
	values := map[string]any{}
	if _, err := spec.Decode(name, data, &values); err != nil {
		return identity{}, err
	}
	for _, key := range aside {
		delete(values, key)
	}
	return identity{text: fmt.Sprintf("%#v", values)}, nil // fmt sorts the keys of maps
}

// Fingerprint is a hash of what the scenario's file asks for and of the files that it
// names. Comments, the order of keys, spelling of numbers, name, title, description, seed
// and expectations do not count. Nor do shipped models and devices: they belong to the
// version.
func (s *Scenario) Fingerprint() (string, error) {
	h := sha256.New()
	io.WriteString(h, s.identity.text)
	for _, path := range s.identity.files {
		if err := hashFile(h, path); err != nil {
			return "", fmt.Errorf("%s: fingerprint: %w", s.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:fingerprintDigits], nil
}

// hashFile adds the bytes of a file, and where they end.
func hashFile(h io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(h, f)
	fmt.Fprintf(h, "\x00%d\x00", n)
	return err
}
