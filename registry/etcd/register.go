package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/osgochina/dmicro/internal/backoff"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/registry"
)

// registration keeps one node registered, on a goroutine of its own.
type registration struct {
	e      *etcd
	key    string
	cancel context.CancelFunc
	wake   chan struct{} // has room for one: try now
	turn   chan struct{} // has room for one: who has put something in may use what follows

	value  string
	ttl    int64            // seconds
	lease  clientv3.LeaseID // 0: none
	placed bool             // the value is there, as far as we know
}

// Register implements registry.Registry. It returns the outcome of the first attempt; others follow if it failed.
func (e *etcd) Register(s *registry.Service, opts ...registry.RegisterOption) error {
	s, err := s.Valid()
	if err != nil {
		return err
	}
	o := registry.NewRegisterOptions(opts...)
	if o.Context == nil {
		o.Context = context.Background()
	}
	values := make(map[string]string, len(s.Nodes))
	for _, n := range s.Nodes {
		key, value, err := e.space().encode(s, n)
		if err != nil {
			return err
		}
		values[key] = value
	}
	var errs []error
	for key, value := range values {
		r, err := e.registration(key)
		if err != nil {
			return err
		}
		errs = append(errs, r.set(o.Context, value, e.ttl(o.TTL)))
	}
	return errors.Join(errs...)
}

// ttl returns a time to live in whole seconds.
func (e *etcd) ttl(d time.Duration) int64 {
	if d <= 0 {
		d = e.Options().RegisterTTL
	}
	if d <= 0 {
		d = registry.DefaultRegisterTTL
	}
	return max(1, int64((d+time.Second-1)/time.Second))
}

// registration returns that of a key.
func (e *etcd) registration(key string) (*registration, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	r := e.kept[key]
	if r == nil {
		ctx, cancel := context.WithCancel(context.Background())
		r = &registration{e: e, key: key, cancel: cancel, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
		e.kept[key] = r
		go r.keep(ctx)
	}
	return r, nil
}

// take waits for the turn. One that is free is taken whatever ctx says: what a Register that is given up has asked for is
// kept all the same.
func (r *registration) take(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("etcd: %s: %w", r.key, ctx.Err())
	}
}

func (r *registration) release() { <-r.turn }

// set makes value what is kept, and tries at once unless it is there already.
func (r *registration) set(ctx context.Context, value string, ttl int64) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.release()
	if r.placed && r.value == value && r.ttl == ttl {
		return nil // keep looks after it
	}
	if r.ttl != ttl {
		r.lease = 0 // the old one ends by itself
	}
	r.value, r.ttl, r.placed = value, ttl, false
	err := r.place(ctx)
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return err
}

// keep renews the lease and looks after the key until ctx is done.
func (r *registration) keep(ctx context.Context) {
	timer := time.NewTimer(time.Hour) // set by the first wake
	defer timer.Stop()
	pauses, failing := newPauses(), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		ttl, err := r.renew(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !failing {
				logger.Warningf(ctx, "registry: %v; will go on trying", err)
			}
			timer.Reset(pauses.Next())
			failing = true
		default:
			if failing {
				logger.Infof(ctx, "registry: etcd: %s is registered again", r.key)
			}
			timer.Reset(backoff.Jitter(time.Duration(ttl) * time.Second / 3))
			pauses.Reset()
			failing = false
		}
	}
}

// newPauses returns the pauses between attempts that fail: after an outage all must be back soon.
func newPauses() backoff.Series {
	return backoff.Series{First: 250 * time.Millisecond, Last: 2 * time.Second}
}

// renew renews the lease, and puts the key back if it has gone.
func (r *registration) renew(ctx context.Context) (ttl int64, err error) {
	if err := r.take(ctx); err != nil {
		return 0, err
	}
	defer r.release()
	if !r.placed || r.lease == 0 {
		return r.ttl, r.place(ctx)
	}
	ctx, cancel, c, err := r.e.request(ctx)
	if err != nil {
		return 0, err
	}
	defer cancel()
	_, err = c.KeepAliveOnce(ctx, r.lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		r.lease, r.placed = 0, false
		return r.ttl, r.place(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("etcd: renew %s: %w", r.key, err)
	}
	resp, err := c.Get(ctx, r.key)
	if err != nil {
		return 0, fmt.Errorf("etcd: look after %s: %w", r.key, err)
	}
	if len(resp.Kvs) == 1 {
		switch lease := clientv3.LeaseID(resp.Kvs[0].Lease); {
		case lease == r.lease && string(resp.Kvs[0].Value) == r.value:
			return r.ttl, nil
		case lease != 0 && lease != r.lease:
			return r.ttl, nil // another process has taken the node over, as in a reload; it looks after it
		}
	}
	r.placed = false
	return r.ttl, r.place(ctx)
}

// place puts the key there. The caller has the turn.
func (r *registration) place(ctx context.Context) error {
	ctx, cancel, c, err := r.e.request(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	for again := true; ; again = false {
		if r.lease == 0 {
			lease, err := c.Grant(ctx, r.ttl)
			if err != nil {
				return fmt.Errorf("etcd: lease for %s: %w", r.key, err)
			}
			r.lease = lease.ID
		}
		_, err := c.Put(ctx, r.key, r.value, clientv3.WithLease(r.lease))
		switch {
		case err == nil:
			r.placed = true
			return nil
		case errors.Is(err, rpctypes.ErrLeaseNotFound) && again:
			r.lease = 0
		default:
			return fmt.Errorf("etcd: register %s: %w", r.key, err)
		}
	}
}

// Deregister implements registry.Registry. A node that another process has registered meanwhile stays.
func (e *etcd) Deregister(s *registry.Service, opts ...registry.DeregisterOption) error {
	s, err := s.Valid()
	if err != nil {
		return err
	}
	ctx := registry.NewDeregisterOptions(opts...).Context
	var errs []error
	for _, n := range s.Nodes {
		key := e.space().key(s.Name, n.Id)
		e.mu.Lock()
		r := e.kept[key]
		delete(e.kept, key)
		e.mu.Unlock()
		if r == nil {
			errs = append(errs, e.remove(ctx, key))
			continue
		}
		r.cancel()
		errs = append(errs, r.remove(ctx))
	}
	return errors.Join(errs...)
}

// remove deletes a key that this registry does not keep.
func (e *etcd) remove(ctx context.Context, key string) error {
	ctx, cancel, c, err := e.request(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if _, err := c.Delete(ctx, key); err != nil {
		return fmt.Errorf("etcd: deregister %s: %w", key, err)
	}
	return nil
}

// remove deletes the key if it is still ours.
func (r *registration) remove(ctx context.Context) error {
	ctx, cancel, c, err := r.e.request(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.release()
	if r.lease == 0 {
		return nil
	}
	ours := clientv3.Compare(clientv3.LeaseValue(r.key), "=", r.lease)
	if _, err := c.Txn(ctx).If(ours).Then(clientv3.OpDelete(r.key)).Commit(); err != nil {
		return fmt.Errorf("etcd: deregister %s: %w", r.key, err)
	}
	if _, err := c.Revoke(ctx, r.lease); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		logger.Debugf(ctx, "registry: etcd: revoke the lease of %s: %v", r.key, err) // it ends by itself
	}
	return nil
}
