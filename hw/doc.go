// Package hw says what machines are: device types, links, nodes and clusters,
// and the arithmetic of a roofline. Specs are immutable once loaded, so that
// parallel runs may share them; what happens on a machine lives in package sim.
//
// Device types are embedded TOML files, one a type (devices/*.toml), every
// number with its source; links and node types are embedded lists (links.toml,
// nodes.toml). Adding one is adding a file or an entry.
package hw
