package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"stowage/reports"
	"stowage/sim/slots"
	"stowage/workloads"
	"stowage/workloads/lookups"
)

// tableList is a flag that takes the rows of embedding tables, commas between them,
// with names perhaps: 1460,583 or user=1460,item=583.
type tableList []workloads.Table

func (l *tableList) Type() string { return "tables" }
func (l *tableList) String() string {
	var parts []string
	for _, t := range *l {
		parts = append(parts, fmt.Sprintf("%s=%d", t.Name, t.Rows))
	}
	return strings.Join(parts, ",")
}

// Set takes numbers of rows, NAME= before them where the name is not to be table-N.
func (l *tableList) Set(s string) error {
	var list tableList
	sum := int64(0)
	for i, part := range splitList(s) {
		name, rows, named := strings.Cut(part, "=")
		if !named {
			name, rows = fmt.Sprintf("table-%d", i+1), part
		}
		n, err := strconv.ParseInt(rows, 10, 64)
		if err != nil || n < 1 || name == "" {
			return fmt.Errorf("%q: want the rows of each table, 1 or more, as in 1460,583 or user=1460,item=583", part)
		}
		if n > lookups.MaxRows-sum {
			return fmt.Errorf("%q: the tables have more than %d rows together", part, int64(lookups.MaxRows))
		}
		sum += n
		for _, other := range list {
			if other.Name == name {
				return fmt.Errorf("there are two tables %q", name)
			}
		}
		list = append(list, workloads.Table{Name: name, Rows: n})
	}
	*l = list
	return nil
}

// offloadFlags are those of the statistics for TorchRec's planner.
type offloadFlags struct {
	file   string
	tables tableList
	batch  int
	bins   int
}

// complete checks the flags; set says which were given.
func (f *offloadFlags) complete(set func(flag string) bool, traces int) error {
	if f.file == "" {
		for _, flag := range []string{"tables", "batch", "bins"} {
			if set(flag) {
				return fmt.Errorf("--%s is for the statistics of --offload-stats: give that as well", flag)
			}
		}
		return nil
	}
	switch {
	case traces > 1:
		return fmt.Errorf("--offload-stats is about one trace; %d were given", traces)
	case !set("batch"):
		return errors.New("--offload-stats: give --batch, the lookups of one global batch over all tables")
	case f.batch < 1:
		return fmt.Errorf("--batch %d: want 1 lookup or more", f.batch)
	}
	return nil
}

// offloadMaker measures a trace for TorchRec's planner, batch by batch.
type offloadMaker struct {
	follower
	meter  *slots.OffloadMeter
	unique *lookups.Uniquer
	batch  []uint32 // that is being filled
	size   int
}

// newOffload measures with the tables of the flags, whose rows are the keys, or as one
// table of the unique keys.
func (t *traceReplay) newOffload(warmup int64) (*offloadMaker, error) {
	f := &t.flags.offload
	tables := []workloads.Table(f.tables)
	if len(tables) == 0 {
		tables = []workloads.Table{{Name: "all", Rows: t.unique}}
	}
	// The first batch that counts begins behind the warm-up.
	skip := (warmup + int64(f.batch) - 1) / int64(f.batch)
	meter, err := slots.NewOffloadMeter(tables, f.bins, int(skip))
	if err != nil {
		return nil, fmt.Errorf("--offload-stats: %w", err)
	}
	m := &offloadMaker{meter: meter, unique: lookups.NewUniquer(meter.Rows()), size: f.batch}
	if len(f.tables) > 0 {
		m.count = m.countRows
		return m, nil
	}
	numbers := t.dense()
	m.count = func(keys []uint64) error {
		ids, err := numbers(keys)
		if err == nil {
			m.take(ids)
		}
		return err
	}
	return m, nil
}

// countRows takes keys as rows of the tables.
func (m *offloadMaker) countRows(keys []uint64) error {
	rows := make([]uint32, len(keys))
	for i, k := range keys {
		if k >= uint64(m.meter.Rows()) {
			return fmt.Errorf("lookup %d: key %d is not below the %d rows of --tables together", m.seen+int64(i)+1, k, m.meter.Rows())
		}
		rows[i] = uint32(k)
	}
	m.take(rows)
	return nil
}

// take cuts rows into batches.
func (m *offloadMaker) take(rows []uint32) {
	for len(rows) > 0 {
		n := min(len(rows), m.size-len(m.batch))
		m.batch = append(m.batch, rows[:n]...)
		rows = rows[n:]
		if len(m.batch) == m.size {
			m.meter.Add(m.unique.Unique(m.batch))
			m.batch = m.batch[:0]
		}
	}
}

// writeOffload writes the statistics: a JSON array with an object for each table.
func (t *traceReplay) writeOffload(m *offloadMaker) error {
	if err := m.wait(); err != nil {
		return fmt.Errorf("%s: --offload-stats: %w", t.path, err)
	}
	tables, err := m.meter.Tables()
	if err != nil {
		return fmt.Errorf("%s: --offload-stats, with batches of %d lookups: %w", t.path, m.size, err)
	}
	if len(m.batch) > 0 {
		t.note("the last %d lookups fill no batch of %d, and are not in %s", len(m.batch), m.size, t.flags.offload.file)
	}
	err = reports.WriteFile(t.flags.offload.file, func(w io.Writer) error {
		for i, table := range tables {
			data, err := json.Marshal(table)
			if err != nil {
				return err
			}
			before := ",\n  "
			if i == 0 {
				before = "[\n  "
			}
			if _, err := io.WriteString(w, before+string(data)); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, "\n]\n")
		return err
	})
	if err != nil {
		return failed("--offload-stats: %w", err)
	}
	return nil
}
