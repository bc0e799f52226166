// Package proxy is a plugin that forwards what an endpoint has no handler for to other peers, which a function of the
// program chooses for each message.
//
//	upstream, stat := cli.Dial("10.0.0.7:9091")
//	srv := drpc.NewEndpoint(cfg, proxy.NewProxyPlugin(func(*proxy.Label) proxy.Forwarder { return upstream }))
//
// Bodies pass as they are, under their codec and through the same transfer filters, so that the proxy need not know the
// types, and what is encrypted stays so. Meta passes both ways. The caller's deadline and its cancelling pass too, and so
// does the end of its session. Statuses of the upstream's handlers come back as they are; that the upstream cannot be
// reached is CodeBadGateway, with the reason as its cause.
//
// A message passes at most [MaxHops] proxies, counted in the meta key [MetaHops]. Everything is called from many
// goroutines at once.
package proxy
