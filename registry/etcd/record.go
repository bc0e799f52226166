package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/osgochina/dmicro/registry"
)

// maxValue is the longest value that is read. etcd itself refuses more than 1.5 MiB unless told otherwise.
const maxValue = 1 << 20

// space is the part of the keys that a registry uses.
type space string

func newSpace(prefix string) space {
	p := path.Join(prefix)
	if p != "" && !strings.HasSuffix(p, "/") {
		p += "/"
	}
	return space(p)
}

// segment returns a name as a part of a key.
func segment(name string) string { return strings.ReplaceAll(name, "/", "-") }

// service returns what the keys of a service begin with, or those of all if it is empty.
func (s space) service(name string) string {
	if name == "" {
		return string(s)
	}
	return string(s) + segment(name) + "/"
}

func (s space) key(service, id string) string { return s.service(service) + segment(id) }

// encode returns the key and the value of one node.
func (s space) encode(service *registry.Service, n *registry.Node) (key, value string, err error) {
	for _, part := range []string{segment(service.Name), segment(n.Id)} {
		if part == "." || part == ".." {
			return "", "", fmt.Errorf("%w: %q cannot be part of a key", registry.ErrInvalidService, part)
		}
	}
	one := *service
	one.Nodes = []*registry.Node{n}
	b, err := json.Marshal(&one)
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", registry.ErrInvalidService, err)
	}
	if len(b) > maxValue {
		return "", "", fmt.Errorf("%w: %s has %d bytes as JSON, more than %d", registry.ErrInvalidService, n.Id, len(b), maxValue)
	}
	return s.key(service.Name, n.Id), string(b), nil
}

var errForeign = errors.New("the service is another than that of the key")

// decode returns what is under a key. Whoever may write to etcd may write anything: what is no service, or that of
// another key, is an error, and nodes without an address are dropped.
func (s space) decode(key string, value []byte) (*registry.Service, error) {
	if len(value) > maxValue {
		return nil, fmt.Errorf("%d bytes are too long", len(value))
	}
	var service registry.Service
	if err := json.Unmarshal(value, &service); err != nil {
		return nil, err
	}
	if service.Name == "" || !strings.HasPrefix(key, s.service(service.Name)) {
		return nil, errForeign
	}
	var nodes []*registry.Node
	for _, n := range service.Nodes {
		if n == nil || n.Address == "" {
			continue
		}
		if n.Id == "" {
			n.Id = n.Address
		}
		nodes = append(nodes, n)
	}
	service.Nodes = nodes
	return service.Valid()
}
