// Package mainjob is the main job as any client of the API does it: a cluster,
// an account, a parallel job, its result. A client under test is an adapter of
// a few lines; what it must achieve stands here once.
package mainjob
