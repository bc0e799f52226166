package eventbus

// Priorities of listeners. Any int will do; these are marks to choose between. The higher one runs first, and without
// one a listener has [Normal].
const (
	Min         = -300
	Low         = -200
	BelowNormal = -100
	Normal      = 0
	AboveNormal = 100
	High        = 200
	Max         = 300
)

// pick returns the priority of an optional argument.
func pick(priority []int) int {
	if len(priority) == 0 {
		return Normal
	}
	return priority[0]
}
