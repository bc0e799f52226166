// Package archtest holds the import rules of this module: one table of layers (table.go), a check of the real imports
// against it, and the picture of it that docs/architecture.md shows.
//
// Imports go strictly downward. A package may import what lies in a lower layer, and of its own layer only what its
// row names. Test files are free: an external test may reach upward to drive the package as its users do. Modules of
// their own inside the tree (bench, integration, tools) are not looked at.
//
// Run "go test ./internal/archtest -update" after a change of the table to rewrite the picture.
//
// The package keeps no state; its functions may be used concurrently.
package archtest
