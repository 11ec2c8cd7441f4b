package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/scenarios"
)

// starterName is the file that init writes where none is named.
const starterName = "scenario.toml"

func newInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE.toml]",
		Short: "Write a scenario with comments to begin from",
		Long: `Init writes a scenario that runs in seconds and explains its keys in comments, and
beside it ` + scenarios.SchemaFile + `, by which editors complete and check scenarios (with
Taplo, or the extension "Even Better TOML"). It never overwrites a scenario.`,
		Example: `  stowage init
  stowage init experiments/mine.toml
  stowage run scenario.toml`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: tomlFiles,
		RunE: func(c *cobra.Command, args []string) error {
			path := starterName
			if len(args) == 1 {
				path = args[0]
			}
			if err := begin(path); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "Written to %s. Next:\n  stowage check %s\n  stowage run %s\n", path, path, path)
			return err
		},
	}
}

// begin writes the starter to path and the schema beside it.
func begin(path string) error {
	if ext := filepath.Ext(path); ext != ".toml" {
		return fmt.Errorf("init: %s: a scenario is a .toml file", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return failed("init: %w", err)
	}
	if err := create(path, scenarios.Starter()); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("init: %s is there already, and is left as it is: name another file", path)
		}
		return failed("init: %w", err)
	}
	schema := filepath.Join(filepath.Dir(path), scenarios.SchemaFile)
	err := create(schema, scenarios.Schema())
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if old, err := os.ReadFile(schema); err == nil && !bytes.Equal(old, scenarios.Schema()) {
		return failed("init: %s is written; %s is of another version: `stowage schema scenario` prints that of this one", path, schema)
	}
	return nil
}

// create writes a file that is not there yet.
func create(path string, data []byte) error {
	return reports.CreateFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
