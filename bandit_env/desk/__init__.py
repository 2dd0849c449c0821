"""The desk: experiments of one's own, planned and judged."""
