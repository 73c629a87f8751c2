"""Headers that every answer carries, whoever writes it.

An answer is data for the one who asked: it is not to be guessed at, framed, cached on the way, or
taken for part of another site's page. The page for people says more about itself in `service.api.page`.
"""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
