package rounds

import (
	"errors"
	"fmt"
	"strings"

	"stowage/sim/slots"
)

// tableError says which table could not plan a unit. To a *slots.ShortageError, which
// speaks of one unit of one owner, it adds how many slots of the layer would do for
// all units. What that takes is counted when somebody wants to read it.
type tableError struct {
	spec  *Spec
	layer *layerTables
	owner int
	err   error
}

func (e *tableError) Unwrap() error { return e.err }

func (e *tableError) Error() string {
	where := fmt.Sprintf("slot table of layer %q", e.layer.Name)
	if n := e.spec.Devices; n > 1 {
		where += fmt.Sprintf(", device %d of %d", e.owner, n)
	}
	says, units := e.err.Error(), "rounds"
	if e.spec.Pass > 1 {
		says, units = strings.NewReplacer("rounds", "passes", "round", "pass").Replace(says), "passes"
	}
	var short *slots.ShortageError
	if !errors.As(e.err, &short) || short.Ways > 0 || short.Rule == slots.Fail && short.InFlight > 0 {
		return fmt.Sprintf("%s: %s", where, says)
	}
	all := "slots"
	if e.spec.Devices > 1 {
		all = "slots of the layer, of all devices together,"
	}
	return fmt.Sprintf("%s: %s; %d %s suffice for all %d %s", where, says, e.layer.enough(e.spec), all, e.layer.units.Rounds(), units)
}

// enough returns how many slots of all devices together suffice for every unit. A
// shortage rule that waits needs them for one unit at a time.
func (l *layerTables) enough(spec *Spec) int {
	ahead := spec.Lookahead
	if l.Slots.Shortage.Waits() {
		ahead = 0
	}
	most := 0
	for _, own := range l.traces {
		most = max(most, slots.MinSlots(own, ahead)+l.owners.Replicated())
	}
	return spec.Devices * most
}
