// Package multiclient calls one address over several sessions. A [MultiClient] has as many of them as senders need at the
// same time: one is dialled when a sender finds none free, and closed when it was not needed for a while. A session is free
// again as soon as the message is sent, so many calls wait for their replies over few sessions.
//
// It is for what one session makes wait: large messages that others should not queue behind, and peers or paths that are
// slow to take what they are sent. One session carries any number of small calls, and carries them faster than several.
//
// # Concurrency
//
// All methods may be used concurrently.
package multiclient
