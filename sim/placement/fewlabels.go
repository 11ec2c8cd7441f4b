package placement

import "errors"

// beam looks for a cheaper route than best, if there is one, among few labels.
func (o *router) beam(best *route) (*route, error) {
	o.width = beamWidth
	rt, err := o.label(0)
	o.width = 0
	switch {
	case errors.Is(err, errNone):
		return best, nil
	case err != nil:
		return nil, err
	case best != nil && best.price <= rt.price:
		return best, nil
	}
	o.bounds[0].limit -= max(0, o.cap-rt.price)
	return rt, nil
}

// beamWidth is how many labels of a node beam keeps.
const beamWidth = 8
