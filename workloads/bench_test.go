package workloads

import (
	"os"
	"testing"

	"github.com/BurntSushi/toml"
)

// BenchmarkParseModel reads the longest shipped file; beside it the floor, the
// TOML library alone into the same structs.
func BenchmarkParseModel(b *testing.B) {
	data, err := os.ReadFile("models/resnet-50.toml")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("model", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseModel("resnet-50.toml", data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("toml", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var file modelFile
			if err := toml.Unmarshal(data, &file); err != nil {
				b.Fatal(err)
			}
		}
	})
}
