package main

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// pack writes a file as the extension of its new name says: .gz, .zst, or a text of
// keys as libCacheSim's records.
func pack(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2)
	data := []byte(ts.ReadFile(args[0]))
	var b bytes.Buffer
	var w io.WriteCloser
	switch filepath.Ext(args[1]) {
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".zst":
		var err error
		w, err = zstd.NewWriter(&b)
		ts.Check(err)
	case ".oracleGeneral":
		ts.Check(writeOracle(&b, strings.Fields(string(data))))
	default:
		ts.Fatalf("pack: what is %s?", args[1])
	}
	if w != nil {
		_, err := w.Write(data)
		ts.Check(err)
		ts.Check(w.Close())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o666))
}

// writeOracle writes keys as oracleGeneral records: time, key, size, next lookup.
func writeOracle(w io.Writer, keys []string) error {
	for i, k := range keys {
		key, err := strconv.ParseUint(k, 10, 64)
		if err != nil {
			return err
		}
		record := struct {
			Time uint32
			Key  uint64
			Size uint32
			Next int64
		}{uint32(i), key, 1, -1}
		if err := binary.Write(w, binary.LittleEndian, record); err != nil {
			return err
		}
	}
	return nil
}

// columns writes some columns (FIRST-LAST, from 1) of a CSV file into another one.
func columns(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 3)
	var first, last int
	_, err := fmt.Sscanf(args[2], "%d-%d", &first, &last)
	ts.Check(err)
	rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(args[0]))).ReadAll()
	ts.Check(err)
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.Join(row[first-1:last], ",") + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o666))
}
