# Takes one message, says a word on stderr and dies without an answer.
$| = 1;
print qq({"text": "before the crash", "conversation_id": "c"}\n);
my $line = <STDIN>;
print STDERR "cannot divide by zero\n";
exit 3;
