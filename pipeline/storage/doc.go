// Package storage reads and writes the files of a folder that may lie on this
// machine or in an object store: a path, or file://, s3:// and gs:// URLs.
//
//	f, err := storage.Open(ctx, "s3://bucket/pairs")
//	err = f.Put("manifest.json", func(w io.Writer) error { ... })
//
// An object store is spoken to by the S3 protocol, with the credentials that
// other tools use: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and
// AWS_SESSION_TOKEN), the shared credentials file, or the machine's role. gs://
// takes HMAC keys of Google Cloud Storage in the same variables.
// AWS_ENDPOINT_URL and AWS_REGION name another server.
package storage
