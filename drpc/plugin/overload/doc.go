// Package overload is a plugin that limits what an endpoint takes on: how many calls and pushes of a method are at work at
// the same time and how many come in a second, and the same for a peer over all methods.
//
// What is above a limit is refused at once, before its body is decoded: a call with CodeBusy, which says that it was not
// executed and may be repeated, here or elsewhere; a push is dropped. Nothing ever waits for its turn.
//
// The limits of an endpoint itself, MaxRequests and its kin, come before these and protect it from any peer. This plugin
// is for what they do not know: that one method costs more than another, that one peer shall not have it all.
//
// A plugin may be given to an endpoint, to a group or to single handlers, and used concurrently; what it counts it counts
// over everything that it is given to. [Plugin.Methods] shows the limits and what came of them.
package overload
