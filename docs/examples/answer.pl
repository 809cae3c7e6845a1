#!/usr/bin/env perl
# Answers every message, and puts its event away. Perl 5.14 or newer, nothing but its own modules.
use strict;
use warnings;
use JSON::PP;

my $home = $ENV{SPOOLWAY_HOME} // ".";
my $spool = "$home/spool";
my $json = JSON::PP->new->utf8->canonical;    # the same answer in the same bytes: a hash has no order
mkdir "$home/done";

sub drop {
    my ($connector, $message) = @_;
    my $outbox = "$spool/outbox/$connector";
    open(my $file, ">:raw", "$outbox/.$message->{id}.tmp") or die "$outbox: $!";
    print $file $json->encode($message);
    close($file) or die "$outbox: $!";
    rename("$outbox/.$message->{id}.tmp", "$outbox/$message->{id}.json") or die "$outbox: $!";
}

while (1) {
    opendir(my $folder, "$spool/inbox") or die "$spool/inbox: $!";
    for my $name (sort grep { /\.json$/ } readdir $folder) {
        open(my $file, "<:raw", "$spool/inbox/$name") or die "$name: $!";
        my $event = $json->decode(do { local $/; <$file> });
        my $text = $event->{content}{text};
        my $is_self = ($event->{sender} // {})->{is_self};
        if ($event->{kind} eq "message" && $event->{reply} && defined $text && !$is_self) {
            drop($event->{reply}{connector},
                { %{ $event->{reply} }, id => "re-$event->{id}", text => "you said: $text" });
        }
        rename("$spool/inbox/$name", "$home/done/$name") or die "$name: $!";
    }
    select(undef, undef, undef, 0.5);
}
