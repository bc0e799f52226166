package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// place is where a package stands.
type place struct {
	layer int // index into the layers
	row   Row
}

// rules answers questions about a table.
type rules struct {
	module    string
	layers    []Layer
	libraries []Library
}

// Check returns every import among the packages that the table does not allow, every package that has no row, and
// every library outside its fence, sorted. Module is the module path of the tree.
func Check(module string, layers []Layer, libraries []Library, packages []Package) []string {
	r := rules{module: module, layers: layers, libraries: libraries}
	var faults []string
	for _, p := range packages {
		faults = append(faults, r.checkPackage(p)...)
	}
	for _, l := range libraries {
		faults = append(faults, r.checkLibrary(l, packages)...)
	}
	slices.Sort(faults)
	return faults
}

func (r rules) checkPackage(p Package) []string {
	from, ok := r.find(p.Path)
	if !ok {
		return []string{fmt.Sprintf("%s: package has no row in the layer table", p.Path)}
	}
	var faults []string
	for _, path := range p.Imports {
		target, inside := r.relative(path)
		if !inside {
			continue
		}
		to, ok := r.find(target)
		if !ok {
			continue // reported where the package itself is checked
		}
		if why := r.forbids(from, to, target); why != "" {
			faults = append(faults, fmt.Sprintf("%s: may not import %s: %s", p.Path, target, why))
		}
	}
	return faults
}

// forbids says why a package at from may not import target, which stands at to; empty means it may.
func (r rules) forbids(from, to place, target string) string {
	here, there := r.layers[from.layer], r.layers[to.layer]
	switch {
	case to.layer > from.layer:
		return fmt.Sprintf("%s lies above %s", there.Name, here.Name)
	case to.layer < from.layer && here.Only != "" && there.Name != here.Only:
		return fmt.Sprintf("%s knows %s only", here.Name, here.Only)
	case to.layer == from.layer && !matchesAny(from.row.Beside, target):
		return fmt.Sprintf("both are of %s and the row of %s does not name it", here.Name, from.row.Path)
	}
	return ""
}

func (r rules) checkLibrary(l Library, packages []Package) []string {
	var faults, users []string
	for _, p := range packages {
		if !slices.ContainsFunc(p.Imports, func(path string) bool { return below(l.Path, path) }) {
			continue
		}
		users = append(users, p.Path)
		if !matchesAny(l.In, p.Path) {
			faults = append(faults, fmt.Sprintf("%s: may not import %s: %s", p.Path, l.Path, l.Why))
		}
	}
	if l.Max > 0 && len(users) > l.Max {
		faults = append(faults, fmt.Sprintf("%s: imported by %d packages (%s), at most %d: %s",
			l.Path, len(users), strings.Join(users, ", "), l.Max, l.Why))
	}
	return faults
}

// find returns the place of a package: of all rows that match, the one with the longest path.
func (r rules) find(path string) (place, bool) {
	var best place
	found := false
	for i, layer := range r.layers {
		for _, row := range layer.Rows {
			if matches(row.Path, path) && (!found || specificity(row.Path) > specificity(best.row.Path)) {
				best, found = place{i, row}, true
			}
		}
	}
	return best, found
}

// specificity orders the patterns that match one path: an exact one is always the longest.
func specificity(pattern string) int { return len(strings.TrimSuffix(pattern, "*")) }

// relative returns an import path relative to the module.
func (r rules) relative(path string) (string, bool) {
	if path == r.module {
		return ".", true
	}
	return strings.CutPrefix(path, r.module+"/")
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// matches reports whether path is the pattern, or lies below the folder of a pattern that ends in "/*".
func matches(pattern, path string) bool {
	folder, ok := strings.CutSuffix(pattern, "*")
	if !ok {
		return pattern == path
	}
	return strings.HasPrefix(path, folder)
}

// below reports whether an import path belongs to a library.
func below(library, path string) bool {
	return path == library || strings.HasPrefix(path, library+"/")
}
