package diagram

import (
	"fmt"
	"regexp"
)

var (
	participantPattern = regexp.MustCompile(`^participant (\w+) as (.+)$`)
	messagePattern     = regexp.MustCompile(`^(\w+)->>(\w+): (.+)$`)
	notePattern        = regexp.MustCompile(`^Note over (\w+): (.+)$`)
)

const (
	step = 34 // from one message to the next
	loop = 22 // how far a message to oneself reaches
)

// message is an arrow between two life lines, or from one to itself; a note stands on one.
type message struct {
	from, to int
	text     string
	note     bool
}

func sequence(lines []string) (string, error) {
	names, messages, err := parseSequence(lines)
	if err != nil {
		return "", err
	}
	at, w := lifelines(names, messages)
	var c canvas
	head := line + 2.0*pad
	h := head + step*float64(len(messages)+1)
	for i, name := range names {
		fmt.Fprintf(&c, `<path d="M%.1f %.1fV%.1f" stroke="var(--line)"/>`+"\n", at[i], head, h)
		boxed(&c, at[i], 1, name, true)
	}
	for i, m := range messages {
		y := head + step*float64(i+1)
		switch x, to := at[m.from], at[m.to]; {
		case m.note:
			boxed(&c, x, y-line, m.text, false)
		case m.from == m.to:
			c.arrow(fmt.Sprintf("M%.1f %.1fh%dv%dh-%d", x, y-6, loop, 10, loop))
			c.text(x+loop+pad+width(m.text)/2, y+3, m.text, false)
		default:
			c.arrow(fmt.Sprintf("M%.1f %.1fH%.1f", x, y+4, to))
			c.text((x+to)/2, y-2, m.text, false)
		}
	}
	return c.document(w, h+1, "sequence diagram"), nil
}

// boxed is a text in a box, centred at x.
func boxed(c *canvas, x, y float64, text string, bold bool) {
	w := width(text) + 2*pad
	c.box(x-w/2, y, w, line+pad)
	c.text(x, y+line+1, text, bold)
}

func parseSequence(lines []string) (names []string, messages []message, err error) {
	index := make(map[string]int)
	known := func(names ...string) bool {
		for _, n := range names {
			if _, ok := index[n]; !ok {
				return false
			}
		}
		return true
	}
	for _, l := range lines {
		if m := participantPattern.FindStringSubmatch(l); m != nil && !known(m[1]) {
			index[m[1]] = len(names)
			names = append(names, m[2])
		} else if m := messagePattern.FindStringSubmatch(l); m != nil && known(m[1], m[2]) {
			messages = append(messages, message{from: index[m[1]], to: index[m[2]], text: m[3]})
		} else if m := notePattern.FindStringSubmatch(l); m != nil && known(m[1]) {
			messages = append(messages, message{from: index[m[1]], to: index[m[1]], text: m[2], note: true})
		} else {
			return nil, nil, fmt.Errorf("diagram: sequence: what is %q?", l)
		}
	}
	return names, messages, nil
}

// lifelines returns where the life lines stand, and how wide the picture is: what is written beside a line, and between two
// neighbours, has room.
func lifelines(names []string, messages []message) (at []float64, w float64) {
	room := make([]float64, len(names)) // to the right of each line
	for i, name := range names {
		room[i] = max(room[i], width(name)/2+2*pad)
	}
	for _, m := range messages {
		switch left, right := min(m.from, m.to), max(m.from, m.to); {
		case m.note:
			room[left] = max(room[left], width(m.text)/2+2*pad)
		case left == right:
			room[left] = max(room[left], loop+width(m.text)+2*pad)
		default:
			room[left] = max(room[left], width(m.text)+2*pad)
		}
	}
	x := 0.0
	for i, name := range names {
		x += width(name)/2 + pad + 1
		at = append(at, x)
		x += room[i]
	}
	return at, x + 1
}
