package drpc

// state is where a session stands.
type state int32

const (
	statePreparing     state = 0 // AfterDial or AfterAccept runs, Early methods work
	stateOk            state = 1
	stateActiveClosing state = 2 // Close was called, handlers and pending calls finish
	stateActiveClosed  state = 3
	statePassiveLosing state = 4 // the connection is lost, what follows is being decided
	statePassiveClosed state = 5
	stateRedialing     state = 6
	stateRedialFailed  state = 7
)

// transitions are the changes of state that may happen, each state once.
var transitions = [...][]state{
	statePreparing:     {stateOk, stateActiveClosing, statePassiveLosing, stateRedialing},
	stateOk:            {stateActiveClosing, statePassiveLosing},
	stateActiveClosing: {stateActiveClosed},
	stateActiveClosed:  {},
	statePassiveLosing: {statePassiveClosed, stateRedialing, stateActiveClosing},
	statePassiveClosed: {stateRedialing, stateActiveClosed},
	stateRedialing:     {statePreparing, stateRedialFailed, stateActiveClosing},
	stateRedialFailed:  {statePassiveClosed, stateRedialing, stateActiveClosing},
}

func (from state) allows(to state) bool {
	for _, next := range transitions[from] {
		if next == to {
			return true
		}
	}
	return false
}

// closing reports whether Close was called.
func (from state) closing() bool { return from == stateActiveClosing || from == stateActiveClosed }
