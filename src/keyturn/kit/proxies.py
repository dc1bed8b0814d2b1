"""What is said of proxy variables that the HTTP client cannot use. It is said in place of its own words: they quote passwords."""

UNUSABLE = (
    "a proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY cannot be used: write http://host:port or https://host:port, without"
    " quotes and spaces; SOCKS is not supported"
)
