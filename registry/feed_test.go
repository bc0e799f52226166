package registry

import (
	"context"
	"errors"
	"testing"
)

func TestFeedReportsNoMoreThanOneChangeANode(t *testing.T) {
	t.Parallel()
	f := NewFeed(context.Background())
	defer f.Stop()
	list := func(weights ...string) []*Service {
		s := &Service{Name: "foo"}
		for i, w := range weights {
			if w != "" {
				s.Nodes = append(s.Nodes, &Node{Id: string(rune('a' + i)), Metadata: map[string]string{"weight": w}})
			}
		}
		return []*Service{s, nil}
	}
	want := func(action EventType, id, weight string) {
		t.Helper()
		r, err := f.Next()
		if err != nil || r.Action != action || r.Service.Nodes[0].Id != id || r.Service.Nodes[0].Metadata["weight"] != weight {
			t.Fatalf("%+v, %v, want %v of %s with %s", r, err, action, id, weight)
		}
	}
	f.Set(list("1", "1"))
	f.Set(list("1", "2", "1"))
	f.Set(list("", "2"))
	want(Delete, "a", "1") // came and went
	want(Create, "b", "2")
	want(Delete, "c", "1")
	f.Set(list("", "3"))
	f.Set(list("", "2"))
	f.Set(list("1", "2"))
	want(Update, "b", "2") // changed back
	want(Create, "a", "1")
	f.Set(nil)
	f.Set(list("", "4"))
	want(Delete, "a", "1")
	want(Update, "b", "4")
	f.Set(list("5", "4"))
	f.Stop()
	if r, err := f.Next(); !errors.Is(err, ErrWatcherStopped) {
		t.Errorf("after Stop: %+v, %v", r, err)
	}
}

func TestFeedReportsMetadataOfTheService(t *testing.T) {
	t.Parallel()
	f := NewFeed(context.Background())
	defer f.Stop()
	n := &Node{Id: "a"}
	f.Set([]*Service{{Name: "foo", Nodes: []*Node{n}}})
	if _, err := f.Next(); err != nil {
		t.Fatal(err)
	}
	f.Set([]*Service{{Name: "foo", Nodes: []*Node{n}, Metadata: map[string]string{"a": "b"}}})
	if r, err := f.Next(); err != nil || r.Action != Update || r.Service.Metadata["a"] != "b" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestMergePutsEqualVersionsTogether(t *testing.T) {
	t.Parallel()
	got := Merge([]*Service{
		{Name: "b", Version: "1", Nodes: []*Node{{Id: "2"}, nil, {Id: "1", Address: "old"}}},
		nil,
		{Name: "a", Version: "2"},
		{Name: "a", Version: "1"},
		{Name: "b", Version: "1", Nodes: []*Node{{Id: "1", Address: "new"}}, Metadata: map[string]string{"x": "y"}},
	})
	if len(got) != 3 || got[0].Name != "a" || got[0].Version != "1" || got[1].Version != "2" || got[2].Name != "b" {
		t.Fatalf("%+v", got)
	}
	b := got[2]
	if len(b.Nodes) != 2 || b.Nodes[0].Address != "new" || b.Nodes[1].Id != "2" || b.Metadata["x"] != "y" {
		t.Errorf("%+v", b)
	}
}

func TestEventTypesHaveNames(t *testing.T) {
	t.Parallel()
	for typ, want := range map[EventType]string{Create: "create", Delete: "delete", Update: "update", Override: "override", -1: "unknown", 9: "unknown"} {
		if got := typ.String(); got != want {
			t.Errorf("%d is %q, want %q", typ, got, want)
		}
	}
}
