package feed

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
)

// TrustCertificate lets a client accept a test server.
func TrustCertificate(c *Client, certificate *x509.Certificate) {
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	c.http.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
}
