# A second name on the listener of examples/terraform.

resource "aws_acm_certificate" "other" {
  certificate_body = file("${var.certificates}/other-cert.pem")
  private_key      = file("${var.certificates}/other-key.pem")
}

resource "aws_lb_listener_certificate" "other" {
  listener_arn    = aws_lb_listener.https.arn
  certificate_arn = aws_acm_certificate.other.arn
}
