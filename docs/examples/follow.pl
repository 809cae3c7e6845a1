#!/usr/bin/env perl
# Prints every new event once and takes nothing away. Perl 5.14 or newer, nothing but its own modules.
use strict;
use warnings;
use JSON::PP;
use POSIX qw(strftime);
use Time::Local qw(timegm);

my $inbox = ($ENV{SPOOLWAY_HOME} // ".") . "/spool/inbox";
my $look_back = 5;    # seconds: names of several connectors may be a little out of order
my %seen;
my $horizon = strftime("%Y%m%dT%H%M%S", gmtime);
$| = 1;
binmode STDOUT, ":encoding(UTF-8)";

while (1) {
    opendir(my $folder, $inbox) or die "$inbox: $!";
    my @fresh = sort grep { /\.json$/ && $_ ge $horizon && !$seen{$_} } readdir $folder;
    closedir $folder;
    for my $name (@fresh) {
        open(my $file, "<:raw", "$inbox/$name") or next;    # another program took it away
        my $event = decode_json(do { local $/; <$file> });
        print "$event->{connector}{instance} ", $event->{content}{text} // $event->{kind}, "\n";
        $seen{$name} = 1;
    }
    if (@fresh) {
        my ($y, $mo, $d, $h, $mi, $s) = $fresh[-1] =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/;
        my $back = strftime("%Y%m%dT%H%M%S", gmtime(timegm($s, $mi, $h, $d, $mo - 1, $y) - $look_back));
        $horizon = $back if $back gt $horizon;
        delete @seen{ grep { $_ lt $horizon } keys %seen };
    }
    select(undef, undef, undef, 0.5);
}
