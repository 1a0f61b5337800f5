# What Ruby finds and replaces. Reads a JSON file: "lines", "patterns" and "replacements" (pairs); prints the results as JSON,
# line by line for each.
require "json"

asked = JSON.parse(File.read(ARGV.fetch(0), encoding: "UTF-8"))
lines = asked.fetch("lines")
found = asked.fetch("patterns").map do |pattern|
  expression = Regexp.new(pattern)
  lines.map { |line| (match = expression.match(line)) && match.named_captures.compact }
end
replaced = asked.fetch("replacements").map do |pattern, replacement|
  expression = Regexp.new(pattern)
  lines.map { |line| line.gsub(expression, replacement) }
end
puts JSON.generate("found" => found, "replaced" => replaced, "version" => JRUBY_VERSION)
