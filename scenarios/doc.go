// Package scenarios loads experiments from TOML files and conducts them: model,
// cluster, training, lookups and slot tables in; search for the target scheme,
// simulation of it, result out. The experiments themselves are the *.toml files
// beside the code; scenarios/published holds those with published figures.
//
// Loading is strict: an unknown key, a wrong type, a bad unit or a missing part
// is an error with file, line, column, key and what would have been accepted.
package scenarios
