package workloads

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"sync"
)

//go:embed models/*.toml
var modelFiles embed.FS

// embedded decodes the shipped models once. A shipped file that does not
// decode is our mistake, not the user's.
var embedded = sync.OnceValue(func() (shipped struct {
	names  []string
	byName map[string]*Model
}) {
	entries, err := modelFiles.ReadDir("models")
	if err != nil {
		panic(err)
	}
	shipped.byName = make(map[string]*Model, len(entries))
	for _, entry := range entries {
		file := path.Join("models", entry.Name())
		data, err := modelFiles.ReadFile(file)
		if err != nil {
			panic(err)
		}
		m, err := ParseModel(file, data)
		if err != nil {
			panic(fmt.Sprintf("embedded model: %v", err))
		}
		shipped.names = append(shipped.names, m.Name)
		shipped.byName[m.Name] = m
	}
	slices.Sort(shipped.names)
	return shipped
})

// Models returns the names of the shipped models, sorted.
func Models() []string { return append([]string(nil), embedded().names...) }

// LookupModel returns a shipped model. It is shared: do not change it. The
// error for an unknown name proposes the closest known one.
func LookupModel(name string) (*Model, error) {
	if m, ok := embedded().byName[name]; ok {
		return m, nil
	}
	return nil, fmt.Errorf("unknown model %q%s", name, didYouMean(name, embedded().names))
}
