// Package payload is what the protocols share whose frames hold a message in the same parts in another order: as the
// fields of a message of Protocol Buffers, or as the members of a JSON object.
//
// Its functions may be used concurrently.
package payload

import "github.com/osgochina/dmicro/drpc/proto"

// CheckHeader holds the parts of a header that was received against proto.MaxHeaderPart; see proto.CheckHeaderPart.
func CheckHeader(method, status, meta []byte) error {
	for _, part := range [...]struct {
		name string
		text []byte
	}{{"service method", method}, {"status", status}, {"meta", meta}} {
		if err := proto.CheckHeaderPart(part.name, len(part.text)); err != nil {
			return err
		}
	}
	return nil
}
