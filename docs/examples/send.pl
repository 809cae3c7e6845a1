#!/usr/bin/env perl
# send.pl CONNECTOR CONVERSATION TEXT: drops a message and prints its id. Perl 5.14 or newer, nothing but its own modules.
use strict;
use warnings;
use JSON::PP;
use Encode qw(decode);

my ($connector, $conversation, $text) = map { decode("UTF-8", $_) } @ARGV;
my $outbox = ($ENV{SPOOLWAY_HOME} // ".") . "/spool/outbox/$connector";
my $id = time() . "-$$";
open(my $file, ">:raw", "$outbox/.$id.tmp") or die "$outbox: $!";
print $file encode_json({ id => $id, conversation_id => $conversation, text => $text });
close($file) or die "$outbox: $!";
rename("$outbox/.$id.tmp", "$outbox/$id.json") or die "$outbox: $!";
print "$id\n";
