package placement

// effort counts what setting labels costs, over all relaxations of a search: a
// relaxation of many pools and few devices may keep millions of partial routes, each
// compared with those at its node.
type effort struct {
	most    int          // comparisons; 0: no end
	stopped func() error // why the search must end; asked now and then

	done, asked int
	over        error
}

// boundEffort is about a second of comparisons: what may be spent on a bound that
// was not asked for, or on saying why nothing fits.
const boundEffort = 1 << 28

// askEvery is how many comparisons, some ten milliseconds of them, pass between two
// looks at whether the search must end.
const askEvery = 1 << 22

// spend adds comparisons, and reports whether to go on.
func (e *effort) spend(n int) bool {
	if e.over != nil {
		return false
	}
	e.done += n + 1
	switch {
	case e.most > 0 && e.done > e.most:
		e.over = errLabels
	case e.done-e.asked > askEvery:
		e.asked = e.done
		e.over = e.stopped()
	}
	return e.over == nil
}
