#!/usr/bin/env perl
# Echo bot: what is sent to it comes back as an event. Needs nothing but Perl (JSON::PP comes with it).
#
#     - name: echo
#       type: exec
#       command: [perl, ./echo.pl]
use strict;
use warnings;
use JSON::PP;

$| = 1;    # write each line at once
my $json = JSON::PP->new->utf8->canonical;

sub say_line { print $json->encode( $_[0] ), "\n" }

say_line( { ready => JSON::PP::true } );
print STDERR "ready for messages\n";    # stderr goes to the log

while ( my $line = <STDIN> ) {          # ends when Spoolway closes it: the sign to stop
    my $message = $json->decode($line)->{send} or next;
    # Here it would go to the platform; the answer comes when the platform has it.
    say_line( { sent => $message->{id}, platform_id => "echo-$message->{id}" } );
    say_line(
        {
            text            => $message->{text} // "",
            conversation_id => $message->{conversation_id},
            sender          => { id => "echo", is_bot => JSON::PP::true },
            key             => [ "echo", $message->{id} ],
        }
    );
}
