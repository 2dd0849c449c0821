# The same for a program in R: `work()` returns c(count, error).
source(commandArgs(trailingOnly = TRUE)[1])
invisible(work())
input <- file("stdin", "r")
while (length(readLines(input, n = 1)) > 0) {
  spent <- system.time(found <- work())
  cat(sprintf('{"count": %d, "error": %.17g, "cpu": %.17g, "wall": %.17g}\n',
              as.integer(found[1]), found[2], spent[1] + spent[2], spent[3]))
  flush(stdout())
}
