package util_test

import (
	"testing"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/util"
)

func TestCopiesShareNothing(t *testing.T) {
	t.Parallel()
	list := []*registry.Service{nil, {
		Name: "foo", Metadata: map[string]string{"a": "b"},
		Nodes: []*registry.Node{{Id: "1", Paths: []string{"/x"}, Metadata: map[string]string{"c": "d"}}, nil},
	}}
	c := util.Copy(list)
	if len(c) != 2 || c[0] != nil || len(c[1].Nodes) != 1 {
		t.Fatalf("%+v", c)
	}
	c[1].Metadata["a"], c[1].Nodes[0].Metadata["c"], c[1].Nodes[0].Paths[0] = "", "", ""
	n := list[1].Nodes[0]
	if list[1].Metadata["a"] != "b" || n.Metadata["c"] != "d" || n.Paths[0] != "/x" {
		t.Errorf("the copy is shared: %+v %+v", list[1], n)
	}
	if util.CopyService(nil) != nil {
		t.Error("the copy of nil is something")
	}
}
