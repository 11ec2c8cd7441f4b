package reports

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"stowage/hw"
)

// measuredAllReduces reads the tables that stand beside the repository where the project
// is developed.
func measuredAllReduces(t *testing.T, device, folder string, fitted ...int) allReduceTable {
	t.Helper()
	of, err := hw.AllReduceOf(device)
	if err != nil {
		t.Fatal(err)
	}
	table := allReduceTable{Of: of, Fitted: fitted}
	for n := 2; n <= 8; n++ {
		f, err := os.Open(filepath.Join("..", "..", "shared", "data", "vtrain", "allreduce", folder, fmt.Sprintf("AR_GPU%d_1M_1024M_LUT", n)))
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows[1:] {
			var v [3]float64
			for i, at := range []int{0, 3, 5} {
				if v[i], err = strconv.ParseFloat(r[at], 64); err != nil {
					t.Fatal(err)
				}
			}
			table.Times = append(table.Times, allReduceTime{n, v[0], (v[1] + v[2]) / 2 * 1e-9})
		}
	}
	return table
}

// The shipped picture is what the data and the shipped numbers give.
func TestAllReducePicture(t *testing.T) {
	dir := t.TempDir()
	files, err := writeAllReduces(dir, []allReduceTable{
		measuredAllReduces(t, "a100-80", "a100", 2, 8),
		measuredAllReduces(t, "v100-32", "v100", 2, 3, 4, 5, 6, 7, 8),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Log(f)
	}
	got, err := os.ReadFile(filepath.Join(dir, "allreduce.svg"))
	if err != nil {
		t.Fatal(err)
	}
	shipped := filepath.Join("images", "allreduce.svg")
	if *update {
		if err := os.WriteFile(shipped, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(shipped); err != nil || string(want) != string(got) {
		t.Errorf("%s is another picture (%v): -update draws it anew", shipped, err)
	}
	if png, err := os.ReadFile(filepath.Join(dir, "allreduce.png")); err != nil || len(png) < 5000 {
		t.Errorf("the PNG has %d bytes: %v", len(png), err)
	}
}
