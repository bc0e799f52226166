package graceful

import "context"

type ownerKey struct{}

// WithOwner names the part of the program that listens with ctx. It matters for ports that the system chooses: of several
// parts that ask for port 0, each gets the one that it had in the predecessor, whichever asks first. One owner that asks
// for several gets them in the order of asking. An owner that asks for port 0 gets no socket of another owner, but
// may get one that nobody owns. Other addresses belong to whoever asks for them.
func WithOwner(ctx context.Context, owner string) context.Context {
	return context.WithValue(ctx, ownerKey{}, owner)
}

func ownerOf(ctx context.Context) string {
	owner, _ := ctx.Value(ownerKey{}).(string)
	return owner
}
