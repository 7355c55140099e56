<?php
/**
 * Plugin Name: Handbill
 * Description: Tells Handbill the moment an article is published, edited, withdrawn or deleted (Standard Webhooks).
 * Author: The Handbill contributors
 * License: MIT
 *
 * Put this file into wp-content/mu-plugins/ and two lines into wp-config.php:
 *
 *     define( 'HANDBILL_HOOK', 'https://handbill.example.org/hooks/…' );
 *     define( 'HANDBILL_SECRET', 'whsec_…' );
 *
 * Without this file WordPress can still ping: put the same address into Settings > Writing > Update Services.
 */

defined( 'ABSPATH' ) || exit;

/** Seconds between the tries of a delivery that was not taken. */
const HANDBILL_AGAIN = array( 30, 300, 3600, 21600 );

add_action( 'wp_after_insert_post', 'handbill_saved', 10, 4 );
add_action( 'before_delete_post', 'handbill_deleted', 10, 2 );
add_action( 'handbill_send', 'handbill_send', 10, 3 );

/** A post was saved, with its terms and pictures; drafts that stay drafts are nobody's business. */
function handbill_saved( $id, $post, $update, $before ) {
	$was = $before ? $before->post_status : 'new';
	if ( 'post' === $post->post_type && ( 'publish' === $post->post_status || 'publish' === $was ) ) {
		handbill_tell( $post, $post->post_status );
	}
}

/** A public post is deleted for good. */
function handbill_deleted( $id, $post ) {
	if ( 'post' === $post->post_type && 'publish' === $post->post_status ) {
		handbill_tell( $post, 'trash' );
	}
}

/** Say it once whoever saved the post has been answered. */
function handbill_tell( $post, $status ) {
	if ( ! defined( 'HANDBILL_HOOK' ) || ! defined( 'HANDBILL_SECRET' ) ) {
		return;
	}
	$body = wp_json_encode(
		array(
			'id'           => $post->ID,
			'link'         => get_permalink( $post ),
			'status'       => $status,
			'title'        => html_entity_decode( get_the_title( $post ), ENT_QUOTES, 'UTF-8' ),
			'date_gmt'     => str_replace( ' ', 'T', $post->post_date_gmt ),
			'modified_gmt' => str_replace( ' ', 'T', $post->post_modified_gmt ),
		)
	);
	$id = wp_generate_uuid4();
	add_action(
		'shutdown',
		function () use ( $id, $body ) {
			if ( function_exists( 'fastcgi_finish_request' ) ) {
				fastcgi_finish_request();
			}
			handbill_send( $id, $body, 0 );
		}
	);
}

/** Send it, and again later if it was not taken: its id stays, its time and signature are new. */
function handbill_send( $id, $body, $tries ) {
	$secret = HANDBILL_SECRET;
	$key    = 0 === strpos( $secret, 'whsec_' ) ? base64_decode( substr( $secret, 6 ) ) : $secret;
	$time   = time();
	$answer = wp_remote_post(
		HANDBILL_HOOK,
		array(
			'body'        => $body,
			'timeout'     => 5,
			'redirection' => 0,
			'headers'     => array(
				'Content-Type'      => 'application/json',
				'webhook-id'        => $id,
				'webhook-timestamp' => (string) $time,
				'webhook-signature' => 'v1,' . base64_encode( hash_hmac( 'sha256', "$id.$time.$body", $key, true ) ),
			),
		)
	);
	$code   = (int) wp_remote_retrieve_response_code( $answer );
	if ( ( $code < 200 || $code > 299 ) && isset( HANDBILL_AGAIN[ $tries ] ) ) {
		wp_schedule_single_event( $time + HANDBILL_AGAIN[ $tries ], 'handbill_send', array( $id, $body, $tries + 1 ) );
	}
}
