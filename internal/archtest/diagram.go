package archtest

import (
	"fmt"
	"strings"
)

// Diagram draws the layers as a Mermaid flow chart, highest layer first. An arrow reads "may import".
func Diagram(layers []Layer) string {
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TD\n")
	for i := len(layers) - 1; i >= 0; i-- {
		l := layers[i]
		fmt.Fprintf(&b, "    %s[\"<b>%s</b> %s<br/>%s\"]\n", l.Name, l.Name, l.What, strings.Join(paths(l), "<br/>"))
	}
	for i := len(layers) - 1; i > 0; i-- {
		for _, name := range nextBelow(layers, i) {
			fmt.Fprintf(&b, "    %s --> %s\n", layers[i].Name, name)
		}
	}
	b.WriteString("```\n\n| package | layer | may import of its own layer |\n|---|---|---|\n")
	for i := len(layers) - 1; i >= 0; i-- {
		for _, row := range layers[i].Rows {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", shown(row.Path), layers[i].Name, quoted(row.Beside))
		}
	}
	return b.String()
}

// nextBelow returns the layers an arrow is drawn to. What a layer with a limit may know is drawn; otherwise the
// nearest layer below, and every limited layer on the way, stand for all the rest.
func nextBelow(layers []Layer, i int) []string {
	if layers[i].Only != "" {
		return []string{layers[i].Only}
	}
	var names []string
	for j := i - 1; j >= 0; j-- {
		names = append(names, layers[j].Name)
		if layers[j].Only == "" {
			break
		}
	}
	return names
}

func paths(l Layer) []string {
	var out []string
	for _, row := range l.Rows {
		out = append(out, shown(row.Path))
	}
	return out
}

func shown(path string) string {
	if path == "." {
		return "dmicro"
	}
	return path
}

func quoted(paths []string) string {
	if len(paths) == 0 {
		return "nothing"
	}
	return "`" + strings.Join(paths, "`, `") + "`"
}
