package slots

import (
	"slices"
	"time"
)

// replayJob is what one worker replays of a batch at a time: a table, or several
// of one policy together.
type replayJob struct {
	tables []*replayed
	sizes  sizeGroup // of all tables; nil: there is one, which has its own state
	whole  bool      // it sees a number for every key, not ids
	busy   time.Duration
	before []int64 // misses of sizes in the warm-up
}

// recentTables are the tables of a Replayer that see ids.
type recentTables struct {
	workers int
	tables  []*replayed
	knows   []int64 // keys, per table
}

func (r *recentTables) add(x *replayed, knows int64) {
	r.tables, r.knows = append(r.tables, x), append(r.knows, knows)
}

// jobs cuts the tables into jobs, and returns how many keys they know together at
// most. Sizes of one policy are replayed together, which takes less of a processor than
// one after the other, but are spread over the workers first: all of LRU, which is
// hardly more work than its largest size, are one job.
func (r *recentTables) jobs() (jobs []*replayJob, knows int64) {
	var done []string
	for i, x := range r.tables {
		if !slices.Contains(sizePolicies, x.cfg.Policy) {
			jobs, knows = append(jobs, &replayJob{tables: []*replayed{x}}), knows+r.knows[i]
			continue
		}
		if slices.Contains(done, x.cfg.Policy) {
			continue
		}
		done = append(done, x.cfg.Policy)
		same, sum, most := r.of(x.cfg.Policy)
		if knows += sum; x.cfg.Policy == "lru" {
			knows += most - sum
		}
		for some := range slices.Chunk(same, r.together(x.cfg.Policy, len(same))) {
			jobs = append(jobs, &replayJob{tables: some})
		}
	}
	return jobs, knows
}

// of returns the tables of a policy, and the sum and the most of what they know.
func (r *recentTables) of(policy string) (tables []*replayed, sum, most int64) {
	for i, x := range r.tables {
		if x.cfg.Policy == policy {
			tables, sum, most = append(tables, x), sum+r.knows[i], max(most, r.knows[i])
		}
	}
	return tables, sum, most
}

// together is how many of n tables of one policy make a job.
func (r *recentTables) together(policy string, n int) int {
	if policy == "lru" {
		return groupOf(policy)
	}
	return min((n+r.workers-1)/r.workers, groupOf(policy))
}

// fill makes the tables, for keys below rows that stand for names, if there are any.
func (j *replayJob) fill(rows int64, names []uint64) error {
	if len(j.tables) > 1 {
		var sizes []int
		for _, x := range j.tables {
			sizes = append(sizes, x.cfg.Slots)
		}
		j.sizes = newSizeGroup(j.tables[0].cfg.Policy, rows, sizes)
		j.before = make([]int64, len(sizes))
		return nil
	}
	x := j.tables[0]
	x.cfg.Rows = rows
	t, err := New(x.cfg)
	if err != nil {
		return err
	}
	t.interned = names
	x.table = t
	return nil
}

// mark sets the bit of every key that a table, or its policy, knows.
func (j *replayJob) mark(known []uint64) {
	if j.sizes != nil {
		j.sizes.mark(known)
		return
	}
	j.tables[0].table.mark(known)
}

// replay replays keys, of which the first warmup, if it is positive, are not
// counted. Tables that are replayed together share its time.
func (j *replayJob) replay(keys []uint32, warmup int64) {
	start := time.Now()
	cold := int(max(0, min(warmup, int64(len(keys)))))
	if j.sizes != nil {
		j.replaySizes(keys, cold)
	} else {
		x := j.tables[0]
		x.table.replayNumbered(keys[:cold])
		x.result.Misses += int64(x.table.replayNumbered(keys[cold:]))
	}
	busy := time.Since(start)
	j.busy += busy
	for _, x := range j.tables {
		x.result.Lookups += int64(len(keys) - cold)
		x.result.Busy += busy / time.Duration(len(j.tables))
	}
}

func (j *replayJob) replaySizes(keys []uint32, cold int) {
	if cold > 0 {
		j.sizes.run(keys[:cold])
		j.before = j.sizes.misses()
	}
	j.sizes.run(keys[cold:])
	for i, n := range j.sizes.misses() {
		j.tables[i].result.Misses = n - j.before[i]
	}
}
