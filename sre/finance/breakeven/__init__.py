"""Whether one's own cards or an API are cheaper: at which volume, at which utilisation, and what that hangs on."""
