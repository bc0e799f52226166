package peers

import (
	"bytes"
	"slices"
	"testing"
)

func TestEveryPeerEchoes(t *testing.T) {
	t.Parallel()
	for _, p := range slices.Concat(Frameworks(), Features(), Transports()) {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			srv, err := p.Serve()
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Stop()
			conn, err := p.Dial(srv.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			}()
			done := make(chan error)
			for _, size := range []int{1, 128, 64 << 10} {
				body := bytes.Repeat([]byte{byte(size), 0xff, '"', 7}, size/4+1)[:size]
				call := conn.Caller(body)
				go func() { done <- echoTen(t, call, body) }()
			}
			for range 3 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func echoTen(t *testing.T, call func() ([]byte, error), body []byte) error {
	for range 10 {
		got, err := call()
		if err != nil {
			return err
		}
		if !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back as %d bytes, or as others", len(body), len(got))
		}
	}
	return nil
}

func TestNamesAreUniqueAndFound(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, p := range slices.Concat(Frameworks(), Features(), Transports()) {
		if seen[p.Name] {
			t.Errorf("two peers are named %s", p.Name)
		}
		seen[p.Name] = true
		if got, err := Named(p.Name); err != nil || got.Name != p.Name || got.About == "" {
			t.Errorf("Named(%q) = %+v, %v", p.Name, got, err)
		}
	}
	if _, err := Named("nobody"); err == nil {
		t.Error("found a peer that there is not")
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	all := []Peer{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	for _, c := range []struct {
		list, want string
		fails      bool
	}{
		{list: "", want: "abc"},
		{list: "c,a", want: "ac"},
		{list: " b ", want: "b"},
		{list: "b,x", fails: true},
	} {
		chosen, err := Select(all, c.list)
		var got string
		for _, p := range chosen {
			got += p.Name
		}
		if (err != nil) != c.fails || !c.fails && got != c.want {
			t.Errorf("Select(%q) = %q, %v, want %q", c.list, got, err, c.want)
		}
	}
}
