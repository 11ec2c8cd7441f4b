package reports

import (
	"image/color"
	"slices"
)

// shippedColours are those of the device types that are shipped: the same one on every
// sheet and page, so that two runs on different clusters can be laid side by side. Device
// types of a family differ in lightness, which all eyes see. A test holds the list
// against hw.
var shippedColours = map[string]color.RGBA{
	"xeon-6148":  skyBlue,
	"epyc-7763":  blue,
	"xeon-8375c": blend(blue, ink, 0.45),

	"v100-32": orange, "v100-16": blend(orange, white, 0.6),
	"a100-80": vermillion, "a100-40": blend(vermillion, white, 0.3),
	"h100-80": purple, "gh200": blend(purple, white, 0.5),
	"t4": yellow, "p40": blend(yellow, ink, 0.3),
	"rtx-3090": blend(vermillion, ink, 0.5), "rtx-2080ti": blend(orange, ink, 0.5), "titan-rtx": blend(purple, ink, 0.5),

	"ascend-910": green,
}

// coloursByKind gives device types their colours. Those that are not shipped take, in
// the order of their names, what their kind's family has left; more types than colours:
// the family starts again, lighter.
func coloursByKind(devices []string, kind map[string]string) map[string]color.RGBA {
	of := map[string]color.RGBA{}
	var taken []color.RGBA
	for _, d := range devices {
		if c, ok := shippedColours[d]; ok {
			of[d] = c
			taken = append(taken, c)
		}
	}
	next := map[string]int{}
	for _, d := range devices {
		if _, ok := of[d]; ok {
			continue
		}
		family, ok := kindColours[kind[d]]
		if !ok {
			of[d] = otherGrey
			continue
		}
		for {
			i := next[kind[d]]
			next[kind[d]]++
			c := family[i%len(family)]
			round := min(i/len(family), 3)
			for range round {
				c = blend(c, white, 0.45)
			}
			of[d] = c
			if round == 3 || !slices.Contains(taken, c) {
				break
			}
		}
	}
	return of
}
