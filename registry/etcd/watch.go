package etcd

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/osgochina/dmicro/internal/backoff"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/registry"
)

// relist is how often a watch lists all anew: a cluster that was restored from a backup would report nothing for long.
const relist = 2 * time.Minute

// watch follows the keys below a prefix.
type watch struct {
	*registry.Feed
	e        *etcd
	service  string
	prefix   string
	services map[string]*registry.Service // by key
	next     int64                        // the revision to go on from
}

// Watch implements registry.Registry. It lists what is there, which fails when the cluster cannot be reached. From then
// on it goes on by itself; while the cluster is away nothing changes.
func (e *etcd) Watch(opts ...registry.WatchOption) (registry.Watcher, error) {
	o := registry.NewWatchOptions(opts...)
	w := &watch{Feed: registry.NewFeed(o.Context), e: e, service: o.Service, prefix: e.space().service(o.Service)}
	if err := w.list(); err != nil {
		w.Stop()
		return nil, err
	}
	go w.follow()
	return w, nil
}

// list takes all that is there.
func (w *watch) list() error {
	services, revision, err := w.e.list(w.Context(), w.prefix)
	if err != nil {
		return err
	}
	w.services, w.next = services, revision+1
	w.Set(merged(services, w.service))
	return nil
}

// follow reports changes until the feed is stopped.
func (w *watch) follow() {
	pauses := newPauses()
	for {
		err := w.read()
		if err == nil {
			pauses.Reset()
		}
		if err == nil || errors.Is(err, errUnlisted) {
			if err = w.list(); err == nil {
				continue
			}
		}
		if errors.Is(err, errClosed) {
			w.Stop()
		}
		logger.Debugf(w.Context(), "registry: etcd: watch: %v", err)
		w.next = 0 // what was missed can be compacted away
		select {
		case <-w.Context().Done():
			return
		case <-time.After(pauses.Next()):
		}
	}
}

// read applies changes until it is time to list again, or until the watch breaks, which is an error.
func (w *watch) read() error {
	if w.next == 0 {
		return errUnlisted
	}
	c, err := w.e.connect(w.Context())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(w.Context()), backoff.Jitter(relist))
	defer cancel()
	for resp := range c.Watch(ctx, w.prefix, clientv3.WithPrefix(), clientv3.WithRev(w.next)) {
		if err := resp.Err(); err != nil {
			return err
		}
		for _, ev := range resp.Events {
			if ev.Type == clientv3.EventTypeDelete {
				delete(w.services, string(ev.Kv.Key))
			} else {
				w.e.take(w.services, string(ev.Kv.Key), ev.Kv.Value)
			}
		}
		if len(resp.Events) > 0 {
			w.next = resp.Header.Revision + 1
			w.Set(merged(w.services, w.service))
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return errEnded
}

var (
	errUnlisted = errors.New("not listed yet")
	errEnded    = errors.New("the watch ended")
)
