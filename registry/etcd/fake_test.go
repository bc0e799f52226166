package etcd

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

// fake is a cluster as this package needs it, in memory: keys with leases that end when a test says so, and watches.
type fake struct {
	pb.UnimplementedKVServer
	pb.UnimplementedLeaseServer
	pb.UnimplementedWatchServer

	mu      sync.Mutex
	keys    map[string]*mvccpb.KeyValue
	leases  map[int64]bool
	granted int64
	history []*mvccpb.Event // one a revision, the first is 1
	first   int64           // older revisions are compacted away
	changed chan struct{}   // closed at the next change
}

// newFake starts a cluster and returns it with its address.
func newFake(t *testing.T) (f *fake, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f = &fake{keys: map[string]*mvccpb.KeyValue{}, leases: map[int64]bool{}, first: 1, changed: make(chan struct{})}
	srv := grpc.NewServer()
	pb.RegisterKVServer(srv, f)
	pb.RegisterLeaseServer(srv, f)
	pb.RegisterWatchServer(srv, f)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
	return f, ln.Addr().String()
}

// header is that of all answers. The caller has the lock.
func (f *fake) header() *pb.ResponseHeader {
	return &pb.ResponseHeader{Revision: int64(len(f.history)), RaftTerm: 1}
}

// record writes a change down. The caller has the lock.
func (f *fake) record(e *mvccpb.Event) {
	f.history = append(f.history, e)
	e.Kv.ModRevision = int64(len(f.history))
	close(f.changed)
	f.changed = make(chan struct{})
}

// put is Put for tests.
func (f *fake) put(key, value string) {
	_, _ = f.Put(context.Background(), &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
}

// drop removes a key behind the back of whoever put it there. The caller has the lock.
func (f *fake) drop(key string) int64 {
	if f.keys[key] == nil {
		return 0
	}
	delete(f.keys, key)
	f.record(&mvccpb.Event{Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{Key: []byte(key)}})
	return 1
}

// expire ends all leases, and removes their keys.
func (f *fake) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.leases)
	for key, kv := range f.keys {
		if kv.Lease != 0 {
			f.drop(key)
		}
	}
}

// held is how many keys and leases there are.
func (f *fake) held() (keys, leases int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.keys), len(f.leases)
}

// within reports whether a key is what a request is about: one key, or all from there to the end of a range.
func within(key string, from, end []byte) bool {
	if len(end) == 0 {
		return key == string(from)
	}
	return key >= string(from) && key < string(end)
}

func (f *fake) Range(_ context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	resp := &pb.RangeResponse{Header: f.header()}
	for key, kv := range f.keys {
		if within(key, r.Key, r.RangeEnd) {
			resp.Kvs = append(resp.Kvs, kv)
		}
	}
	resp.Count = int64(len(resp.Kvs))
	return resp, nil
}

func (f *fake) Put(_ context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Lease != 0 && !f.leases[r.Lease] {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	kv := &mvccpb.KeyValue{Key: r.Key, Value: r.Value, Lease: r.Lease, Version: 1}
	f.keys[string(r.Key)] = kv
	f.record(&mvccpb.Event{Type: mvccpb.Event_PUT, Kv: kv})
	return &pb.PutResponse{Header: f.header()}, nil
}

func (f *fake) DeleteRange(_ context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &pb.DeleteRangeResponse{Deleted: f.drop(string(r.Key)), Header: f.header()}, nil
}

// Txn deletes keys if their leases are those compared with; nothing else is asked for.
func (f *fake) Txn(_ context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range r.Compare {
		if kv := f.keys[string(c.Key)]; kv == nil || kv.Lease != c.GetLease() {
			return &pb.TxnResponse{Header: f.header()}, nil
		}
	}
	for _, op := range r.Success {
		f.drop(string(op.GetRequestDeleteRange().Key))
	}
	return &pb.TxnResponse{Header: f.header(), Succeeded: true}, nil
}

func (f *fake) LeaseGrant(_ context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.granted++
	f.leases[f.granted] = true
	return &pb.LeaseGrantResponse{Header: f.header(), ID: f.granted, TTL: r.TTL}, nil
}

func (f *fake) LeaseRevoke(_ context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.leases[r.ID] {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	delete(f.leases, r.ID)
	for key, kv := range f.keys {
		if kv.Lease == r.ID {
			f.drop(key)
		}
	}
	return &pb.LeaseRevokeResponse{Header: f.header()}, nil
}

func (f *fake) LeaseKeepAlive(s pb.Lease_LeaseKeepAliveServer) error {
	for {
		r, err := s.Recv()
		if err != nil {
			return nil
		}
		f.mu.Lock()
		resp := &pb.LeaseKeepAliveResponse{Header: f.header(), ID: r.ID}
		if f.leases[r.ID] {
			resp.TTL = 1 // 0 says that there is no such lease
		}
		f.mu.Unlock()
		if err := s.Send(resp); err != nil {
			return err
		}
	}
}

// Watch serves one watch a stream.
func (f *fake) Watch(s pb.Watch_WatchServer) error {
	r, err := s.Recv()
	if err != nil {
		return nil
	}
	create := r.GetCreateRequest()
	f.mu.Lock()
	next, created := create.StartRevision, &pb.WatchResponse{Header: f.header(), Created: true}
	compacted := max(f.first, 1)
	f.mu.Unlock()
	if next == 0 {
		next = created.Header.Revision + 1
	}
	if err := s.Send(created); err != nil {
		return err
	}
	if next < compacted {
		return s.Send(&pb.WatchResponse{Header: created.Header, Canceled: true, CompactRevision: compacted})
	}
	for {
		f.mu.Lock()
		changed, resp := f.changed, &pb.WatchResponse{Header: f.header()}
		for ; next <= int64(len(f.history)); next++ {
			if e := f.history[next-1]; within(string(e.Kv.Key), create.Key, create.RangeEnd) {
				resp.Events = append(resp.Events, e)
			}
		}
		f.mu.Unlock()
		if len(resp.Events) > 0 {
			if err := s.Send(resp); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-s.Context().Done():
			return nil
		}
	}
}

// compact forgets all revisions.
func (f *fake) compact() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.first = int64(len(f.history)) + 1
}

// value returns what is under the one key that ends like that.
func (f *fake) value(suffix string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, kv := range f.keys {
		if strings.HasSuffix(key, suffix) {
			return string(kv.Value)
		}
	}
	return ""
}
