package drpc

import (
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
)

type math struct{ CallCtx }

func (m *math) Add(arg *[]int) (int, *Status) {
	var sum int
	for _, n := range *arg {
		sum += n
	}
	m.SetMeta("author", "re:"+m.PeekMeta("author").(string))
	return sum, nil
}

type Math = math

func TestControllerAnswersCall(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	if got := srv.RouteCall(new(Math)); len(got) != 1 || got[0] != "/math/add" {
		t.Fatalf("routes %v", got)
	}
	cli := newPeer(t, EndpointConfig{})
	sess := dial(t, cli, serve(t, srv))
	var sum int
	cmd := sess.Call("/math/add", []int{1, 2, 3, 4, 5}, &sum, message.WithSetMeta("author", "someone"))
	if stat := cmd.Status(); stat != nil || sum != 15 {
		t.Fatalf("%v, sum %d", stat, sum)
	}
	if got := cmd.InputMeta().Get("author"); got != "re:someone" {
		t.Errorf("meta %v", got)
	}
}
